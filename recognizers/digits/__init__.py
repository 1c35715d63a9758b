"""Pictures of single digits, brought to the size and place that networks expect.

- :mod:`~recognizers.digits.frames`: digits of any picture, in MNIST's frame of 28x28;
- :mod:`~recognizers.digits.deslanting`: digits sheared until they stand upright (section III-A);
- :mod:`~recognizers.digits.reduction`: the ink's box, and the 16x16 of the early experiments.

MNIST itself is in :mod:`recognizers.datasets.mnist`, random variants of its digits in
:mod:`recognizers.distortion`.
"""
