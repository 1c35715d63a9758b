"""Readers of the data sets: each names the file and the position of what it cannot read."""
