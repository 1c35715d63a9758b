"""Ink with what it says: characters and words of UNIPEN data, files, words written by code."""
