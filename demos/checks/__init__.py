"""The check reader: handwritten courtesy amounts, from pictures to texts (paper, section X)."""
