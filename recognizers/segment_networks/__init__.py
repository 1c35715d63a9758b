"""Networks that read the segments of a segmentation graph, beside LeNet-5 (section V of the paper).

Each takes the ink of A segments, some their surroundings as well, and gives penalties ``[A, C]``:
:class:`recognizers.recognition.RecognitionTransformer` takes any of them, or
:class:`recognizers.lenet.LeNet5`.

- :mod:`~recognizers.segment_networks.two_stream`: what a segment looks like, and where it stands
  among other ink; readers of checks are shipped with it;
- :mod:`~recognizers.segment_networks.residual` and
  :mod:`~recognizers.segment_networks.bilinear`: two examples of a recognizer of one's own.
"""
