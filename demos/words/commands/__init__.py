"""The commands of the readers of ink, by what they are for."""
