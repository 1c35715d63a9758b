"""Pages of pictures: how a field, a check or a whole data set was read."""
