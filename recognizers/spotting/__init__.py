"""Finding objects on pages: a network swept over a page at several resolutions (section VII).

With positions, the network learns what is in the middle of each window. Without them, from "these
digits are somewhere on the page" alone, all places are parallel arcs between two nodes, as the
paper proposes for faces: the forward penalty of a class sums over all places where it may be. The
files in the order of the steps:

- :mod:`~recognizers.spotting.network`: a small network that reads one window;
- :mod:`~recognizers.spotting.pyramid`: any such network at all places and resolutions of a page;
- :mod:`~recognizers.spotting.targets`: its training targets, with positions or without;
- :mod:`~recognizers.spotting.detection`: the objects found, and how much of them is right.

The names of the last three can be imported from here.
"""

from recognizers.spotting.detection import Detection, average_precision, detections, hits
from recognizers.spotting.pyramid import OBJECT, Places, Pyramid
from recognizers.spotting.targets import IGNORED, somewhere, targets_of

__all__ = [
    "IGNORED",
    "OBJECT",
    "Detection",
    "Places",
    "Pyramid",
    "average_precision",
    "detections",
    "hits",
    "somewhere",
    "targets_of",
]
