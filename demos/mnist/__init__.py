"""Handwritten digits: LeNet-5 and its rivals on MNIST, sections II and III of the paper."""
