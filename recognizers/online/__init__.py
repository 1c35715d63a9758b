"""Pen-written words: ink, its normalization, annotated images, the network (paper section IX)."""
