"""Pages of pictures: how a field or a check was read, and how a whole data set was."""
