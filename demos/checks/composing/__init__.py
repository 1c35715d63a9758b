"""Training fields composed of digits from several sources."""
