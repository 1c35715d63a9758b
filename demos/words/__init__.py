"""Reads pen-written characters (paper section IX)."""
