"""Compare us with OpenFst (pynini) and torch's CTC on the same inputs, in one run, one thread.

Every repetition of ours starts from fresh topologies, so that indexes are built inside the timed
call. Prints the median of the repetitions and their ratio to ours; ``--json FILE`` keeps it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gtn

Run = Callable[[], Any]


def median(run: Run, repetitions: int = 7) -> float:
    """Return the median time of a call in milliseconds, after one call that is not counted."""
    run()
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def fresh(graph: gtn.Graph) -> gtn.Graph:
    """Return the graph with a topology that has no index yet."""
    t = graph.topology
    copy = gtn.Topology(
        t.num_nodes, t.src, t.dst, t.ilabels, starts=t.starts, finals=t.finals, check=False
    )
    return gtn.Graph(copy, graph.penalties, check=False)


def dense_loops() -> tuple[gtn.Graph, gtn.Graph]:
    """Return a 100 x 20 chain, and 50 nodes with 500 + 500 looping arcs."""
    rng = np.random.default_rng(0)
    chain = gtn.linear(torch.from_numpy(rng.normal(size=(100, 20))))
    nodes = np.repeat(np.arange(50), 500)
    src = np.concatenate((nodes, nodes))
    dst = np.concatenate((nodes, np.minimum(nodes + 1, 49)))
    labels = np.tile(np.arange(500), 100)
    loops = gtn.Graph.from_arrays(
        src, dst, labels, penalties=torch.from_numpy(rng.normal(size=len(src))), final=49
    )
    return chain, loops


def sparse_graph(nodes: int = 100_000, arcs: int = 400_000) -> gtn.Graph:
    """Return a random acyclic graph."""
    rng = np.random.default_rng(0)
    src = np.concatenate((np.arange(nodes - 1), rng.integers(0, nodes - 1, arcs - nodes + 1)))
    dst = np.minimum(src + rng.integers(1, 100, len(src)), nodes - 1)
    dst[: nodes - 1] = np.arange(1, nodes)
    penalties = torch.from_numpy(rng.uniform(0, 5, len(src)))
    labels = np.ones(len(src), dtype=np.int32)
    return gtn.Graph.from_arrays(src, dst, labels, penalties=penalties, final=nodes - 1)


def openfst(graph: gtn.Graph, kind: str = "log64") -> Any:
    """Return the OpenFst graph of the same arcs (its labels are ours + 1, its epsilon is 0)."""
    import pynini

    fst = pynini.Fst(arc_type=kind) if kind != "standard" else pynini.Fst()
    fst.add_states(graph.num_nodes)
    fst.set_start(int(graph.starts[0]))
    for n in graph.finals.tolist():
        fst.set_final(n)
    rows = zip(
        graph.src.tolist(),
        graph.dst.tolist(),
        graph.ilabels.tolist(),
        graph.penalties.tolist(),
        strict=True,
    )
    for s, d, label, p in rows:
        fst.add_arc(s, pynini.Arc(label + 1, label + 1, pynini.Weight(fst.weight_type(), p), d))
    return fst


def forward_backward(graph: gtn.Graph) -> None:
    """Compute the forward penalty and its gradient."""
    penalties = graph.penalties.clone().requires_grad_()
    gtn.forward_penalty(fresh(graph).with_penalties(penalties)).backward()


def cases() -> dict[str, dict[str, Run]]:
    """Return the calls of each case by name of the system; the first is ours."""
    chain, loops = dense_loops()
    sparse = sparse_graph()
    found: dict[str, dict[str, Run]] = {
        "compose a 100 x 20 chain with 50 x (500 + 500) loops": {
            "gtn": lambda: gtn.compose(fresh(chain), fresh(loops))
        },
        "the same with a plan at hand": {},
        "forward, 100,000 nodes, 400,000 arcs": {"gtn": lambda: gtn.forward_penalty(fresh(sparse))},
        "forward and backward, the same": {"gtn": lambda: forward_backward(sparse)},
        "Viterbi path, the same": {"gtn": lambda: gtn.viterbi_path(fresh(sparse))},
        "numpy.exp over 400,000 float64": {"numpy": lambda: np.exp(-sparse.penalties.numpy())},
    }
    plan = gtn.ComposePlan(chain.topology, loops.topology)
    found["the same with a plan at hand"]["gtn"] = lambda: plan(chain, loops)
    try:
        import pynini
    except ImportError:
        print("pynini is not installed: no comparison with OpenFst")
        return found
    log_chain, log_loops, log_sparse = (openfst(g) for g in (chain, loops, sparse))
    tropical = openfst(sparse, "standard")
    log_chain.arcsort("olabel")
    by_name = list(found)
    found[by_name[0]]["OpenFst"] = lambda: pynini.compose(log_chain, log_loops)
    found[by_name[2]]["OpenFst"] = lambda: pynini.shortestdistance(log_sparse)
    found[by_name[4]]["OpenFst"] = lambda: pynini.shortestpath(tropical)
    return found


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, systems in cases().items():
        times = {system: median(run) for system, run in systems.items()}
        ours = next(iter(times.values()))
        rows.append({"case": name, "ms": times})
        peers = "  ".join(f"{s} {t:.2f} ms ({t / ours:.1f} x)" for s, t in times.items())
        print(f"{name:55} {peers}", flush=True)
    if options.json:
        machine = {"processor": platform.processor() or platform.machine(), "threads": 1}
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
