"""Whole checks: locate the fields of a check and read all of them in one graph (T_field)."""
