"""Train on characters and on words, adapt to a hand, and write the results of runs."""
