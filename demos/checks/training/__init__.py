"""Training a reader of fields from their texts: passes, what a step is, what it goes through."""
