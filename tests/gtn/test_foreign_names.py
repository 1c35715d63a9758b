"""Names of Facebook's gtn, k2 and pynini: none exists here; what their errors suggest runs."""

import re

import pytest
import torch

import grammars.rewriting
import gtn
from gtn.foreign_names import FUNCTIONS, METHODS

NAMES_OF_FUNCTIONS, NAMES_OF_METHODS = (
    sorted({name for names in table.values() for name in names}) for table in (FUNCTIONS, METHODS)
)
WRITTEN = sorted(
    {
        call
        for table in (FUNCTIONS, METHODS)
        for names in table.values()
        for call, _ in names.values()
    }
)


def test_they_are_told():
    told = "'forward_score', a name of Facebook's gtn, which is another package; here: "
    with pytest.raises(AttributeError, match=told + re.escape("-gtn.forward_penalty(g), as a")):
        _ = gtn.forward_score
    with pytest.raises(AttributeError, match=r"^'Graph' .* 'add_arc', a name .*Builder\(\)\.add"):
        gtn.string("a").add_arc(0, 1, 2)
    with pytest.raises(AttributeError, match=r"'accep', a name of pynini; here: gtn\.string\("):
        _ = gtn.accep
    with pytest.raises(AttributeError, match=r"'scores', a name of k2; here: -g\.penalties, as a"):
        _ = gtn.string("a").scores


def test_functions_that_are_taken_for_methods_are_told():
    with pytest.raises(AttributeError, match=r"^'Graph' .* 'invert'; it is a function, gtn\.inv"):
        gtn.string("a").invert()
    with pytest.raises(AttributeError, match=r"'optimize', a name of pynini; here: gtn\.minimize"):
        gtn.string("a").optimize()


@pytest.mark.parametrize("where", [gtn, gtn.string("a")])
def test_python_can_suggest_a_name_for_a_misspelled_one(where):
    with pytest.raises(AttributeError) as caught:
        _ = where.penaltys
    assert caught.value.name == "penaltys"
    assert caught.value.obj is where


def test_other_names_are_no_attributes_and_no_more():
    with pytest.raises(AttributeError, match=r"^module 'gtn' has no attribute 'forwards'$"):
        _ = gtn.forwards
    with pytest.raises(AttributeError, match=r"^'GraphBatch' object has no attribute 'edges'$"):
        _ = gtn.GraphBatch.from_graphs([gtn.string("a")]).edges


@pytest.mark.parametrize("name", NAMES_OF_FUNCTIONS)
def test_no_function_is_here(name):
    assert not hasattr(gtn, name)
    assert name not in dir(gtn)


@pytest.mark.parametrize("name", NAMES_OF_METHODS)
def test_no_method_is_here(name):
    assert not hasattr(gtn.string("a"), name)


@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_told_instead_runs(written, tmp_path, monkeypatch):
    if "cuda')" in written and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    monkeypatch.chdir(tmp_path)
    g = gtn.string([1, 2]).with_penalties(torch.tensor([0.5, 1.0], requires_grad=True))
    gtn.save(g, "g.npz")
    scores = torch.zeros(2) if "with_penalties" in written else torch.zeros(2, 3)
    exec(written, {"gtn": gtn, "grammars": grammars, "torch": torch, "g": g, "scores": scores})


def test_its_order_of_arguments_is_told(tmp_path):
    with pytest.raises(gtn.GraphError, match=r"gtn\.save\(graph, path\)"):
        gtn.save(tmp_path / "g.npz", gtn.string("a"))
    assert not list(tmp_path.iterdir())


def test_its_symbols_of_a_drawing_are_told():
    with pytest.raises(gtn.GraphError, match=r"no option 'isymbols': .*graph\.with_symbols\("):
        gtn.draw(gtn.string([0]), isymbols={0: "a"})
    with pytest.raises(gtn.GraphError, match=r"^the structure .*, Builder one arc by arc"):
        gtn.Graph(False)
