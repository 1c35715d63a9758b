"""Pages of pictures that show how words were read."""
