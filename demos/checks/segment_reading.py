"""Reading by over-segmentation: T_seg and T_rec of the paper's Fig. 33."""

from __future__ import annotations

from collections.abc import Sequence

import torch

import gtn
from demos.checks.texts import CANDIDATES, Texts, posteriors_of
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import Segmentation, segment_field
from recognizers.segmentation_graph import segmentation_graph

__all__ = ["SegmentReading"]


class SegmentReading(RecognitionTransformer):
    """Fields cut into pieces, whose groups a network reads one by one.

    Arguments as those of :class:`recognizers.recognition.RecognitionTransformer`.
    """

    prepare = staticmethod(segment_field)
    """Makes of a picture what :meth:`texts` reads."""

    views = 5
    """A cut that falls badly in one view of a field mostly falls well in others."""

    def interpretations(
        self, segmentations: Sequence[Segmentation], grammar: gtn.Graph
    ) -> gtn.GraphBatch:
        """Return the interpretation graphs of fields: T_rec, then T_gram."""
        graphs = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in segmentations])
        read = gtn.compose(self(graphs.without_data("box")), grammar)
        assert isinstance(read, gtn.GraphBatch)
        return read.without_data()

    def texts(self, segmentations: Sequence[Segmentation], grammar: gtn.Graph) -> list[Texts]:
        """Return the likeliest texts of each field and their posteriors; none without ink."""
        if not segmentations:
            return []
        interpretations = self.interpretations(segmentations, grammar)
        found = [gtn.path_text(p) for p in gtn.n_best(interpretations, CANDIDATES, distinct=True)]
        exact = interpretations.double()
        table = interpretations.osymbols

        def spelled(owners: list[int], texts: list[str]) -> torch.Tensor:
            strings = gtn.strings(texts, symbols=table).double()
            graphs = gtn.GraphBatch.from_graphs([exact[i] for i in owners])
            return gtn.forward_penalty(gtn.compose(graphs, strings))

        return posteriors_of(found, spelled, gtn.forward_penalty(exact))
