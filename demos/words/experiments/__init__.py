"""What ``docs/words.md`` shows: beams, spelling, hands; and the page itself."""
