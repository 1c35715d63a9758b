"""Reads pen-written characters and words (paper section IX)."""

from demos import require

require("readers,words", "wordfreq")
