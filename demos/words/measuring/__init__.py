"""What a reader of words gets wrong: in UNIPEN data, and in a folder of one's own."""
