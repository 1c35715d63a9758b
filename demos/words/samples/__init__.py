"""Labelled ink: UNIPEN characters and words, files of ink, and words written by code."""
