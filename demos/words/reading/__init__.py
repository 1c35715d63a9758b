"""Reading ink: letters, the two systems, lexicon and n-grams of letters, words with posteriors."""
