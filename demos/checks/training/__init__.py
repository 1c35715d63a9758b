"""Train a reader of fields from their texts: the passes, the steps, the samples."""
