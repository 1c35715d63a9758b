"""Products: graphs whose arcs are tuples of arcs of several graphs that move together.

Every kind of composition makes a product and is built from these parts:

- ``tuples``: the product, and the symbol tables in which its operands meet;
- ``sides``: the two sides of a composition, laid out for the kernels that explore it;
- ``failure``: failure arcs, exact back-off;
- ``exploration``: the search in which a function says which arcs pair up;
- ``gathering``: penalties of a product, each a sum of penalties of its operands.
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
