"""Heuristic over-segmentation: from the picture of a field to its segmentation graph (``T_seg``).

A field is taken apart into pieces smaller than characters, and groups of successive pieces become
the arcs of a graph (LeCun et al. 1998, sections V and X). The files in the order of the steps:

- :mod:`~recognizers.segmentation.rules`: the numbers that the segmenter goes by;
- :mod:`~recognizers.segmentation.binarization`: from grey levels to ink;
- :mod:`~recognizers.segmentation.cuts`: candidate cuts through the ink;
- :mod:`~recognizers.segmentation.pieces`: the pieces between them, and groups of pieces;
- the data of each segment, the ink of a group: :mod:`~recognizers.segmentation.images`, its own
  ink, :mod:`~recognizers.segmentation.surroundings`, the ink beside it too, and
  :mod:`~recognizers.segmentation.features`, sizes and gaps;
- :mod:`~recognizers.segmentation.oversegmentation`: all these steps, :func:`segment_field`;
- :mod:`~recognizers.segmentation.graph`: the segmentation graph, and the penalty of its arcs;
- :mod:`~recognizers.segmentation.quality`: how many digits of known fields have an arc.

The names of oversegmentation can be imported from here.
"""

from recognizers.segmentation.oversegmentation import (
    MAX_PIECES,
    PIXEL_MIDDLE,
    WORKING_HEIGHT,
    Segmentation,
    cut_lines,
    empty_segmentation,
    ink_image,
    keep_largest,
    segment_field,
    segment_images,
    side_by_side,
    text_height,
    with_edges,
    working_image,
)

__all__ = [
    "MAX_PIECES",
    "PIXEL_MIDDLE",
    "WORKING_HEIGHT",
    "Segmentation",
    "cut_lines",
    "empty_segmentation",
    "ink_image",
    "keep_largest",
    "segment_field",
    "segment_images",
    "side_by_side",
    "text_height",
    "with_edges",
    "working_image",
]
