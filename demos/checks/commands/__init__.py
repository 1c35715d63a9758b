"""The commands of the check reader, by what they are for."""
