"""The commands of the readers of ink, grouped by purpose."""
