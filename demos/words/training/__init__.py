"""Training on characters and on words, adapting to a hand, and what is left of each run."""
