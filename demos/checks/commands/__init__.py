"""Commands of the check reader, by purpose."""
