"""Every benchmark runs at its smallest size, and its entrants agree; times are not checked."""

import doctest
import importlib.util
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import gtn

pytest.importorskip("wordfreq", reason="lexicons of benchmarks are made of its words")
pytest.importorskip("matplotlib", reason="plots of benchmarks need it")

from benchmarks import case, report
from benchmarks.__main__ import main, measured
from benchmarks.case import Entrant, Goal, Outcome, Question, Race
from benchmarks.cases import CASES, growth
from benchmarks.graphs import fresh, letter_lattice, lexicon, shuffled, sparse_graph, spoken, words
from benchmarks.peers import openfst, process
from benchmarks.peers.process import Peer, as_arrays
from benchmarks.plot import plot
from benchmarks.race import DisagreementError, Patience, ratio, run_race
from benchmarks.record import row

ROOT = Path(__file__).parents[1]
ONCE = Patience(least=1, most=1, seconds=0.0)


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", CASES)
def test_case_runs_and_entrants_agree(name):
    rows = list(measured([CASES[name]], "smallest"))
    assert [r["task"] for r in rows] == [task.name for task in CASES[name].tasks]
    for found in rows:
        assert found["entrants"] or found["figures"]
        assert all(e["ms"] > 0 for e in found["entrants"])
        report.lines(found)
    raced = [t for t in CASES[name].tasks if isinstance(t, Race)]
    peers = {e["name"] for r in rows for e in r["entrants"]}
    if raced and name not in ("ctc", "check-batch") and openfst.present():
        assert any(peer.startswith("OpenFst") for peer in peers)
    if name == "ctc":
        assert "torch" in peers


def test_every_case_has_all_sizes():
    assert all(c.sizes.keys() == {"full", "quick", "smallest"} for c in CASES.values())
    assert all(name == c.name for name, c in CASES.items())


@pytest.mark.parametrize("module", [case, growth, report, process])
def test_examples(module):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(module, optionflags=flags).failed == 0


def test_entrants_who_disagree_are_found_out():
    def entrants(value):
        return [Entrant(str(i), lambda i=i: i, answer=lambda r: {"x": value * r}) for i in (1, 2)]

    run_race(Race("r", entrants), 0.0, ONCE)
    with pytest.raises(DisagreementError, match=r"r: x is 1.0 for 1 and 2.0 for 2"):
        run_race(Race("r", entrants), 1.0, ONCE)


def test_ratio_is_within_rounds():
    outcome = Outcome(times={"gtn": [1.0, 10.0, 2.0], "x": [3.0, 30.0, 6.0]})
    assert ratio(outcome, "x", "gtn") == 3.0


def test_goals_of_absent_peers_are_left_out():
    goals = (Goal("x / gtn", at_least=2.0), Goal("y / gtn", at_least=2.0), Goal("gtn", at_most=1))
    race = Race("r", lambda _: [], goals=goals)
    found = row(CASES["ctc"], "smallest", race, Outcome(times={"gtn": [2.0], "x": [6.0]}))
    assert [(g["goal"], g["found"], g["reached"]) for g in found["goals"]] == [
        ("x / gtn ≥ 2", 3.0, True),
        ("gtn ≤ 1 ms", 2.0, False),
    ]


# -- inputs ----------------------------------------------------------------------------------------


def test_fresh_topologies_have_no_index():
    g = sparse_graph(50, 200)
    structure = set(vars(fresh(g).topology))
    gtn.forward_penalty(g)
    again = fresh(g)
    assert set(vars(g.topology)) > structure
    assert set(vars(again.topology)) == structure
    assert gtn.equal(g, again)


def test_lexicon_reads_its_words_with_their_penalties():
    trie = lexicon(200, closed=False)
    penalties = []
    for word in words(200):
        found = gtn.compose(gtn.string([ord(c) - 97 for c in word]).double(), trie)
        penalties.append(float(gtn.viterbi_penalty(found)))
    assert penalties == sorted(penalties)
    assert math.isfinite(penalties[-1])


def test_lattices_are_read_by_lexicons():
    for lattice in (letter_lattice(6), spoken(12, 50)):
        assert gtn.compose(lattice, lexicon(50)).num_arcs > 0


def test_shuffled_says_the_same():
    def rows(g):
        return list(zip(g.src, g.dst, g.ilabels, g.olabels, g.penalties.tolist()))

    g = lexicon(5)
    assert rows(shuffled(g)) != rows(g)
    assert sorted(rows(shuffled(g))) == sorted(rows(g))
    assert shuffled(g).final_penalties.tolist() == g.final_penalties.tolist()


# -- peers in other interpreters -------------------------------------------------------------------

STUB = """
import json, os, sys
import numpy as np
print(json.dumps({"name": "Stub"}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    if "operation" in question:
        arrays = np.load(question["inputs"])
        ready = question["operation"] == "forward" and "PYTHONPATH" not in os.environ
        print(json.dumps({"ready": ready}), flush=True)
    else:
        total = np.zeros(int(arrays["a.nodes"]))  # sums of exp(-penalty) over paths
        total[arrays["a.starts"]] = 1
        for src, dst, p in sorted(zip(arrays["a.src"], arrays["a.dst"], arrays["a.penalties"])):
            total[dst] += total[src] * np.exp(-p)
        answer = {"penalty": FACTOR * -np.log(total[arrays["a.finals"][0]])}
        print(json.dumps({"seconds": 0.001, "answer": answer}), flush=True)
"""


@pytest.mark.parametrize("factor", [1, 2])
def test_a_peer_takes_turns(tmp_path, factor):
    script = tmp_path / "stub.py"
    script.write_text(STUB.replace("FACTOR", str(factor)))
    with Peer(str(script), sys.executable) as peer:
        rows = measured([CASES["forward"]], "smallest", [peer])
        if factor == 2:
            with pytest.raises(DisagreementError, match="Stub"):
                next(rows)
            return
        first, second, *_ = rows
    assert "Stub" in [e["name"] for e in first["entrants"]]
    assert "Stub" not in [e["name"] for e in second["entrants"]]


def test_a_peer_that_does_not_start_is_named(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(3)")
    with pytest.raises(ChildProcessError, match=r"broken.py.* ended with 3"):
        Peer(str(script), sys.executable)
    with pytest.raises(FileNotFoundError, match="no adapter"):
        Peer("nobody", sys.executable)


class FakeGraph:
    """The part of Facebook's gtn that its adapter uses to build graphs."""

    def __init__(self, calc_grad=True):
        self.starts, self.finals, self.arcs, self.nodes = [], [], [], 0

    def add_node(self, start=False, accept=False):
        self.starts += [self.nodes] * start
        self.finals += [self.nodes] * accept
        self.nodes += 1
        return self.nodes - 1

    def add_arc(self, src, dst, ilabel, olabel=None, weight=0.0):
        self.arcs.append((src, dst, ilabel, ilabel if olabel is None else olabel, weight))

    def ours(self):
        return gtn.Graph.from_arcs(
            [(*arc[:4], -arc[4]) for arc in self.arcs],
            start=self.starts,
            final=self.finals,
            num_nodes=self.nodes,
        ).double()


@pytest.fixture
def adapter(monkeypatch):
    """The adapter for Facebook's gtn, on a stand-in that computes with our functions."""

    def score(g):
        return SimpleNamespace(item=lambda: -float(gtn.forward_penalty(g.ours())))

    fake = SimpleNamespace(Graph=FakeGraph, epsilon=-1, forward_score=score)
    monkeypatch.setitem(sys.modules, "gtn", fake)
    path = ROOT / "benchmarks" / "peers" / "facebook_gtn.py"
    spec = importlib.util.spec_from_file_location("adapter_of_facebook_gtn", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("ends", [0.0, 0.5])
def test_facebook_gtn_gets_the_same_graph(adapter, ends):
    g = gtn.Graph.from_arcs(
        [(0, 1, 3, 4, 0.5), (0, 1, 5, -1, 1.5), (1, 2, 6, 6, 0.25)],
        start={0: ends},
        final={2: ends},
    )
    arrays = as_arrays("a", g.double())
    run, answer = adapter.OPERATIONS["forward"](arrays)
    assert answer(run())["penalty"] == pytest.approx(float(gtn.forward_penalty(g)), rel=1e-6)
    built = adapter.graph(arrays, "a").ours()
    assert set(built.olabels.tolist()) - {-1} == {4, 6}
    assert len(built.starts) == len(built.finals) == 1


def test_questions_carry_all_arrays():
    for name in ("compose-lexicon", "forward", "viterbi", "ctc"):
        inputs = CASES[name].inputs(**CASES[name].sizes["smallest"])
        asked = CASES[name].tasks[0].question(inputs)
        assert isinstance(asked, Question)
        assert all(isinstance(a, np.ndarray) for a in asked.arrays.values())


# -- record, page, plot ----------------------------------------------------------------------------


def test_command_writes_json_plot_and_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(CASES["n-best"].sizes, "quick", CASES["n-best"].sizes["smallest"])
    page = tmp_path / "page.md"
    page.write_text(f"a\n{report.BEGIN}\nold\n{report.END}\nb\n")
    files = [tmp_path / name for name in ("f.json", "f.svg")]
    options = [f"--json={files[0]}", f"--plot={files[1]}", f"--page={page}", "--quick"]
    main(["--case=n-best", *options])
    found = json.loads(files[0].read_text())
    assert [r["case"] for r in found["rows"]] == ["n-best"]
    assert page.read_text() == report.with_tables(page.read_text(), found)
    assert page.read_text().startswith("a\n")
    assert "old" not in page.read_text()
    assert "n-best: best paths" in capsys.readouterr().out
    found["rows"][0]["points"] = [{"work": 10.0, "ms": 1.0, "MB": 0.0}]
    again = tmp_path / "again.svg"
    plot(found, files[1])
    plot(found, again)
    assert again.read_bytes() == files[1].read_bytes()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--json=gone/f.json", "there is no folder gone"),
        ("--plot=gone/f.svg", "there is no folder gone"),
        ("--json=.", "is a folder"),
        ("--plot=f.txt", "no .svg or .png"),
        ("--page=gone.md", "there is no page gone.md"),
        ("--peer=unknown=python", "there is no adapter"),
        ("--peer=facebook_gtn=/gone/python", "/gone/python"),
        ("--peer=facebook_gtn", "NAME=PYTHON"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_before_anything_is_measured(
    option, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarks.__main__.record", lambda *_: pytest.fail("measured"))
    with pytest.raises(SystemExit):
        main(["--case=n-best", "--quick", option])
    assert said in capsys.readouterr().err


def test_page_shows_the_record_beside_it():
    found = json.loads((ROOT / "docs" / "benchmarks.json").read_text())
    page = (ROOT / "docs" / "performance.md").read_text()
    assert page == report.with_tables(page, found)
