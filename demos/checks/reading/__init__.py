"""Reading fields: recognizers of lines and of segments, the grammar, texts with posteriors."""
