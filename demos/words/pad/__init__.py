"""A page in the browser to write on: the server, and the ink that it keeps."""
