"""Interchange: graphs in OpenFst's formats, Kaldi's lattices, networkx graphs, own files."""

from gtn.interchange.binary import from_openfst_binary, to_openfst_binary
from gtn.interchange.files import load, save
from gtn.interchange.lattices import from_kaldi_lattices
from gtn.interchange.networks import from_networkx, to_networkx
from gtn.interchange.reading import from_openfst_symbols, from_openfst_text
from gtn.interchange.writing import to_openfst_symbols, to_openfst_text

__all__ = [
    "from_kaldi_lattices",
    "from_networkx",
    "from_openfst_binary",
    "from_openfst_symbols",
    "from_openfst_text",
    "load",
    "save",
    "to_networkx",
    "to_openfst_binary",
    "to_openfst_symbols",
    "to_openfst_text",
]
