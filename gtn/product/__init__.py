"""Products: graphs whose arcs are tuples of arcs of several graphs that move together.

What compositions of every kind make, and are made of:

- ``tuples``: the product, and the symbol tables in which its operands meet;
- ``sides``: the two sides of a composition, laid out for the kernels that explore it;
- ``failure``: failure arcs, exact back-off;
- ``exploration``: the search where a function says which arcs pair up;
- ``gathering``: penalties of a product, summed over what is behind each.
"""

from gtn.product.tuples import (
    Product,
    Relabelling,
    as_read,
    columns,
    common_length,
    filter_mode,
    in_common_tables,
    is_acceptor,
    relabelled,
    relabelling,
    trimmed,
)

__all__ = [
    "Product",
    "Relabelling",
    "as_read",
    "columns",
    "common_length",
    "filter_mode",
    "in_common_tables",
    "is_acceptor",
    "relabelled",
    "relabelling",
    "trimmed",
]
