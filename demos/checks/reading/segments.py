"""Reading by over-segmentation: T_seg and T_rec of the paper's Fig. 33."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

import gtn
from demos.checks.reading.texts import CANDIDATES, Texts, texts_of
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import Segmentation, segment_field
from recognizers.segmentation.graph import segmentation_graph
from recognizers.segmentation.rules import USUAL, Rules

__all__ = ["SegmentReading"]


class SegmentReading(RecognitionTransformer):
    """Read fields cut into pieces; a network reads each group of successive pieces.

    Args:
        network, symbols: as those of :class:`recognizers.recognition.RecognitionTransformer`.
        rules: how fields are cut (:data:`recognizers.segmentation.rules.CUTS`).
    """

    views = 5
    """Versions of a field to read: a cut that falls badly in one mostly falls well in others."""

    together = 32
    """Fields best read at once; more take more memory and are no faster."""

    def __init__(
        self, network: nn.Module, symbols: gtn.SymbolTable, rules: Sequence[Rules] = USUAL
    ) -> None:
        super().__init__(network, symbols)
        self.prepare = partial(segment_field, rules=rules)
        """Prepare a picture for :meth:`texts`."""

    def texts(
        self, segmentations: Sequence[Segmentation], grammar: gtn.Graph, count: int = CANDIDATES
    ) -> list[Texts]:
        """Return the ``count`` likeliest texts of each field and their posteriors.

        A field without ink has none.
        """
        if not segmentations:
            return []
        graphs = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in segmentations])
        read = gtn.compose(self(graphs.without_data("box")), grammar).without_data()
        assert isinstance(read, gtn.GraphBatch)
        return texts_of(read, count)
