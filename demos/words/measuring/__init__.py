"""Measure the errors of a reader of words, in UNIPEN data and in a folder of one's own."""
