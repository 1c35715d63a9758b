"""The fields of whole checks: from the picture of a check to its field graph (``T_field``).

The field location transformer (LeCun et al. 1998, section X-A). The files in the order of the
steps:

- :mod:`~recognizers.fields.ink`: the ink, without paper and printed lines, and its components;
- :mod:`~recognizers.fields.candidates`: words of components, each of which may be the amount;
- :mod:`~recognizers.fields.features`: features of a candidate's shape and place;
- :mod:`~recognizers.fields.location`: all these steps, :func:`locate_fields`; the penalty of a
  candidate, and the field graph.

The names of location can be imported from here. Data sets of single fields are in
:mod:`recognizers.datasets.fields`.
"""

from recognizers.fields.location import (
    HAND_SET,
    MARGIN,
    SHARED,
    FieldPenalty,
    LocatedFields,
    field_graph,
    likeliest,
    locate_fields,
)

__all__ = [
    "HAND_SET",
    "MARGIN",
    "SHARED",
    "FieldPenalty",
    "LocatedFields",
    "field_graph",
    "likeliest",
    "locate_fields",
]
