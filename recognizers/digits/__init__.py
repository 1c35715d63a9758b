"""Pictures of single digits, brought to the size and the place that networks read them in.

- :mod:`~recognizers.digits.frames`: digits of any picture in the frame of MNIST's, 28x28;
- :mod:`~recognizers.digits.deslanting`: digits sheared until they stand upright (section III-A);
- :mod:`~recognizers.digits.reduction`: the ink's box, and the 16x16 of the early experiments.

MNIST itself is in :mod:`recognizers.datasets.mnist`, random variants of its digits in
:mod:`recognizers.distortion`.
"""
