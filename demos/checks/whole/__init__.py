"""Whole checks: the fields of a check located, each read, all of them one graph (T_field)."""
