"""Whole lines of writing, read without being cut (section VII of the paper).

The files in the order of the steps:

- :mod:`~recognizers.lines.images`: pictures of lines, all of one height, paper 0 and ink 1;
- :mod:`~recognizers.lines.distortion`: random variants of them, for training;
- :mod:`~recognizers.lines.columns`: convolutions from pixels to a vector for each column, shared
  by the networks for lines 40 pixels high;
- :mod:`~recognizers.lines.field_network`: these, then convolutions along the line, for amounts;
- :mod:`~recognizers.lines.network`: a network with narrow windows, for strings of digits.

Both networks are swept by :class:`recognizers.sdnn.SpaceDisplacementNetwork`, which sweeps any
recognizer of characters; :class:`recognizers.crnn.CRNN` has an LSTM behind the same columns.
"""
