"""Measure what ``docs/words.md`` shows (beams, spelling, hands), and write the page."""
