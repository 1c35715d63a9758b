"""Networks that read the segments of a segmentation graph, beside LeNet-5 (section V of the paper).

Each takes the ink of A segments, and some their surroundings, and gives penalties ``[A, C]``:
:class:`recognizers.recognition.RecognitionTransformer` takes any of them, or
:class:`recognizers.lenet.LeNet5`.

- :mod:`~recognizers.segment_networks.two_stream`: sees a segment's shape, and its place among
  other ink; the check readers shipped with the library use it;
- :mod:`~recognizers.segment_networks.residual` and
  :mod:`~recognizers.segment_networks.bilinear`: two examples of a recognizer of your own.
"""
