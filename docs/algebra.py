"""Write docs/algebra.md and its pictures from docs/algebra/operations.toml.

``python docs/algebra.py`` runs the example of each operation, draws it, and writes the page;
``pages()`` returns what would be written, for the test that compares it with what is there.
"""

from __future__ import annotations

import re
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch

import gtn

HERE = Path(__file__).parent
PICTURES = HERE / "algebra"
SVG = "http://www.w3.org/2000/svg"
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
GAP = 14  # pixels between the pieces of a picture
NEIGHBOURS = ("gtn", "k2", "pynini")

HEAD = """\
# The algebra

<!-- Written by `python docs/algebra.py` from docs/algebra/operations.toml. -->

Every operation on graphs: what it does, its semirings, cost, gradient and source, and a small
example with its picture. Unless a row says otherwise, operations take a graph or a `GraphBatch`
(`isomorphic`, `to_networkx`, `to_openfst_text` and `to_openfst_binary` take single graphs), with
several starts and finals, cycles and epsilons; arc data follow them. N is the number of nodes, A of
arcs, D of arcs of one node, T of frames, C of classes, U of labels; k paths have L arcs each. In
the tropical semiring the best path counts, in the log semiring the sum of exp(-penalty) over all
paths, and in the boolean one only which strings have a path. *Gathered*: the penalties of the
result are picked from those of the operands by ordinary torch operations, so gradients of any order
are exact.

In pictures, an arc carries its label (`input:output` where they differ, `ε` for epsilon) and its
penalty in nats, which is left out where all are zero; a double circle is a final node.

## All operations

| operation | semirings | cost | gradients | source |
|---|---|---|---|---|
"""

MOVING = """\
## Moving from gtn, k2 or pynini

Four conventions first:

* Penalties are what pynini calls weights, and minus the weights of gtn and the scores of k2.
* Labels start at 0 and epsilon is `gtn.EPSILON`, -1, as in gtn. In k2 and pynini epsilon is 0
  (`gtn.from_openfst_text` shifts labels). k2's label -1, which marks the arcs into its one final
  state, has no counterpart: any node can be final.
* Nothing needs to be sorted, trimmed or flagged before an operation.
* A name of one of these libraries that does not exist here (`gtn.rmepsilon`, `graph.scores`) raises
  an error that says what to write instead.

**From gtn**, which has the same import name:

* `add`, `subtract`, `negate` and `backward` are torch's, since scores are tensors. One call on a
  `GraphBatch` takes the place of `parallel_for`.
* `forward_score(intersect(linear_graph, alignments))` is `gtn.dense.forward_penalty(emissions,
  alignments)`, sign changed, without the product.
* What is built there by hand is here `gtn.nn.CTCLoss` for CTC, `gtn.nn.ASGLoss` for auto
  segmentation, and a section of the page on speech for [word pieces with several
  decompositions](speech.md#word-pieces-whose-segmentation-is-not-known), [training through a beam
  search](speech.md#training-through-the-beam), [partial
  labels](speech.md#texts-with-missing-labels) and [convolutions with
  transducers](speech.md#convolution-with-transducers).

**From pynini**:

* `string_map(pairs)` is `gtn.cross(gtn.strings(left), gtn.strings(right)).united()`.
* `optimize()` is `gtn.minimize(gtn.determinize(a, side="both", semiring="tropical"),
  semiring="tropical")`.
* For `paths()` there is `gtn.n_best(a, count)`: at most so many, best first.
* Of its `pynutil`, `insert(a)` is `gtn.cross(gtn.string(""), a)`, `delete(a)` is `gtn.cross(a,
  gtn.string(""))`, and `add_weight(a, w)` is `a.with_penalties(a.penalties,
  start_penalties=a.start_penalties + w)`. For a weight for each pair of a `string_map`, let `w` be
  a tensor of them, before `united()`.
* A symbol in brackets (`"[pl]"`) is a symbol like any other in a table or a list of symbols:
  `gtn.string([*"cat", "[pl]"])`.
* `cdrewrite(tau, l, r, sigma)` is `grammars.rewriting.rewrite(tau, before=l, after=r,
  alphabet=symbols)`, whose penalties can be learned. The rule of a dictionary is
  `rewrite(dict(pairs), before="^|[ ]", after="[ ]|$", alphabet=letters)`: one of 20,000 words takes
  1.1 s, and one of 300 words a tenth of pynini's time, which grows faster (`python -m benchmarks
  --case rewrite`, on a two-core AMD EPYC). Without contexts a word may begin at any letter, and the
  rule has more arcs.
* `gtn.string(word) @ graph` looks a word up in a large graph: the graph is laid out at the first
  word, and each later one costs what it finds. `gtn.strings(words) @ graph` looks up many at once.

**From k2**:

* Its `OnlineDenseIntersecter` is `gtn.streaming.PrunedStream`, or, with readings,
  `Decoder.stream()` of `grammars.decoding`, whose `settle` is Kaldi's partial traceback and bounds
  memory if the input does not end.
* Kaldi's `lattice-determinize-pruned --beam=8` is `gtn.determinize(gtn.project(lattice, "output"),
  beam=8.0, semiring="tropical")`; the alignment of a string is the best path of `lattice @ string`.
* A lexicon of words spelled in phones or word pieces, in Kaldi's format, is
  `lexicon(read_spellings("lexicon.txt"), outputs="words")`, from `grammars.lexicon` and
  `grammars.spellings`: minimal, with pushed penalties, and without the symbols (`#1`) that Kaldi
  needs for homophones.
* `grammars.decoding` decodes with the closure of a lexicon and an n-gram grammar; [a
  recipe](speech.md) goes from pronunciations to lattices.

In the table, a dash means that there is no such operation.

| here | gtn | k2 | pynini |
|---|---|---|---|
"""

SOURCES = """\
## Sources

Allauzen, Riley, Schalkwyk 2009, Interspeech, composition filters. Allauzen, Mohri, Rastogi 2011,
Int. J. Found. Comput. Sci. 22(4), ambiguity. Béal, Carton, Prieur, Sakarovitch 2003, Theor. Comput.
Sci. 292(1), functional transducers. Collobert, Puhrsch, Synnaeve 2016, arXiv 1609.03193. Cordella,
Foggia, Sansone, Vento 2004, IEEE TPAMI 26(10). Eisner 2002, ACL, expectation semirings. Eppstein
1998, SIAM J. Comput. 28(2), k shortest paths. Gansner, Koutsofios, North, Vo 1993, IEEE TSE 19(3),
layered drawing. Graves, Fernández, Gomez, Schmidhuber 2006, ICML. Hernando, Crespi, Cybenko 2005,
IEEE Trans. Inf. Theory 51(7), entropy of paths. Kahn 1962, CACM 5(11). LeCun, Bottou, Bengio,
Haffner 1998, Proc. IEEE 86(11), sections by their Roman numbers. Li and Eisner 2009, EMNLP. Mohri
2002a, J. Autom. Lang. Comb. 7(3), shortest distances; 2002b, Int. J. Found. Comput. Sci. 13(1),
epsilon removal; 2009, Weighted automata algorithms, in: Handbook of Weighted Automata. Mohri and
Riley 2002, ICSLP, n best strings. Povey et al. 2012, ICASSP, exact lattices; 2016, Interspeech.
Prabhavalkar et al. 2018, ICASSP. Sixtus and Ortmanns 1999, ICASSP. Taskar, Guestrin, Koller 2003,
NIPS. Tsochantaridis, Joachims, Hofmann, Altun 2005, JMLR 6. Valmari 2012, Inf. Process. Lett.
112(6), minimization.
"""


def operations() -> list[dict[str, Any]]:
    """Return the rows of the table, in order."""
    table: list[dict[str, Any]] = tomllib.loads(
        (PICTURES / "operations.toml").read_text(encoding="utf-8")
    )["operation"]
    return table


def pages() -> dict[Path, str]:
    """Return the page and its pictures: the text of each file."""
    rows = operations()
    written = {HERE / "algebra.md": page(rows)}
    for row in rows:
        written[PICTURES / f"{file_name(row)}.svg"] = picture(row)
    return written


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for row in rows:
        names = ", ".join(f"[`{name}`](#{anchor(row)})" for name in row["names"])
        cells = [names, row["semirings"], row["cost"], row["gradients"], row["source"]]
        parts.append(f"| {' | '.join(cells)} |\n")
    for group, members in groupby(rows, key=lambda row: row["group"]):
        parts.append(f"\n## {group}\n")
        for row in members:
            names = ", ".join(f"`{name}`" for name in row["names"])
            parts.append(
                f'\n<a id="{anchor(row)}"></a>\n\n### {names}\n\n{row["what"]}\n\n'
                f"```python\n{row['example'].strip()}\n```\n\n"
                f"![{alternative(row)}](algebra/{file_name(row)}.svg)\n"
            )
    parts.append(f"\n{MOVING}")
    for row in rows:
        if any(row.get(name) for name in NEIGHBOURS):
            names = ", ".join(f"`{name}`" for name in row["names"])
            calls = [row.get(name, "—") for name in NEIGHBOURS]
            parts.append(f"| {names} | {' | '.join(calls)} |\n")
    parts.append(f"\n{SOURCES}")
    return "".join(parts)


def anchor(row: dict[str, Any]) -> str:
    """Return the name of a row's place on the page."""
    return str(row["names"][0]).replace(".", "-").lower()


def file_name(row: dict[str, Any]) -> str:
    """Return the name of a row's picture."""
    return re.sub(r"^gtn-", "", str(row["names"][0]).replace(".", "-"))


def alternative(row: dict[str, Any]) -> str:
    """Return what stands for the picture where there is none."""
    return f"{row['names'][0].removeprefix('gtn.')}: {' '.join(row['draw'])}"


# -- pictures --------------------------------------------------------------------------------------


def picture(row: dict[str, Any]) -> str:
    """Run the example of a row and return what it draws, in one row, as SVG."""
    names: dict[str, Any] = {"gtn": gtn, "torch": torch}
    exec(row["example"], names)
    pieces = [piece(names.get(word, word)) for word in row["draw"]]
    high = max(height for _, _, height in pieces)
    root = ElementTree.Element("svg", {"font-family": FONT, "role": "img"})
    ElementTree.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "white"})
    x = 0.0
    for element, width, height in pieces:
        place = f"translate({x:.6g} {(high - height) / 2:.6g})"
        group = ElementTree.SubElement(root, "g", {"transform": place})
        group.append(element)
        x += width + GAP
    size = {"width": f"{x - GAP:.6g}", "height": f"{high:.6g}"}
    root.attrib |= size | {"viewBox": f"0 0 {size['width']} {size['height']}", "xmlns": SVG}
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def piece(value: Any) -> tuple[ElementTree.Element, float, float]:
    """Return a drawn graph, or a number or text, with its width and height."""
    if isinstance(value, gtn.Graph):
        value = gtn.draw(value, engine="layered")
    if not hasattr(value, "svg"):
        text = value if isinstance(value, str) else said(value)
        width = 9.0 + 6.2 * len(text)
        label = ElementTree.Element(
            "text", {"x": f"{width / 2:.6g}", "y": "17", "text-anchor": "middle", "font-size": "12"}
        )
        label.text = text
        return label, width, 26.0
    source = re.sub(r' xmlns="[^"]*"', "", re.sub(r"<title>.*?</title>", "", value.svg, flags=re.S))
    drawn = ElementTree.fromstring(source)
    group = ElementTree.Element("g")
    group.extend(child for child in drawn if child.tag != "rect")
    return group, float(drawn.attrib["width"]), float(drawn.attrib["height"])


def said(value: Any) -> str:
    """Return a result that is no graph as text."""
    if isinstance(value, torch.Tensor):
        numbers = [f"{x:.4f}".rstrip("0").rstrip(".") for x in value.detach().reshape(-1).tolist()]
        return numbers[0] if value.ndim == 0 else f"[{', '.join(numbers)}]"
    return str(value)


def main() -> None:
    """Write the page and its pictures, and remove pictures of what is no longer there."""
    written = pages()
    for path in PICTURES.glob("*.svg"):
        if path not in written:
            path.unlink()
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    size = sum(len(text) for text in written.values())
    print(f"{len(written)} files, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
