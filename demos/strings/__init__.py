"""Lines of digits, read and spotted without segmenting them (paper, section VII)."""
