"""Pen-written words: ink, its normalisation, annotated images, the network (paper section IX)."""
