"""Adapter for Facebook's gtn (github.com/facebookresearch/gtn); see ``process.py``.

An interpreter that has that package runs this file; it is never imported here, because the package
has our import name. Its weights are minus our penalties, in float32. Graphs are built and sorted
before the clock starts.
"""

import json
import sys
import time

import numpy as np

import gtn


def graph(arrays, name, calc_grad=False):
    """Return a gtn graph from the arrays of one of ours; start and final penalties become arcs."""
    get = {k.split(".", 1)[1]: v for k, v in arrays.items() if k.startswith(name + ".")}
    plain = not get["start_penalties"].any() and not get["final_penalties"].any()
    starts, finals = set(get["starts"].tolist()), set(get["finals"].tolist())
    made = gtn.Graph(calc_grad)
    for node in range(int(get["nodes"])):
        made.add_node(plain and node in starts, plain and node in finals)
    columns = (get[k].tolist() for k in ("src", "dst", "ilabels", "olabels"))
    for row in zip(*columns, (-get["penalties"]).tolist()):
        made.add_arc(*row)
    if not plain:
        first, last = made.add_node(True, False), made.add_node(False, True)
        for node, penalty in zip(get["starts"].tolist(), get["start_penalties"].tolist()):
            made.add_arc(first, node, gtn.epsilon, gtn.epsilon, -penalty)
        for node, penalty in zip(get["finals"].tolist(), get["final_penalties"].tolist()):
            made.add_arc(node, last, gtn.epsilon, gtn.epsilon, -penalty)
    return made


def compose(arrays):
    """Return the call, and the function that makes the answer from its result."""
    a, b = graph(arrays, "a"), graph(arrays, "b")
    a.arc_sort(True)
    b.arc_sort(False)

    def answer(result):
        if result.num_arcs() == 0:
            return {"arcs": 0}
        return {"penalty": -gtn.viterbi_score(result).item()}

    return lambda: gtn.compose(a, b), answer


def forward(arrays):
    """Return the call, and the function that makes the answer from its result."""
    a = graph(arrays, "a")
    return lambda: gtn.forward_score(a), lambda result: {"penalty": -result.item()}


def forward_backward(arrays):
    """Return the call, and the function that makes the answer from its result."""
    a = graph(arrays, "a", True)

    def run():
        a.zero_grad()
        total = gtn.forward_score(a)
        gtn.backward(total)
        return total

    return run, lambda result: {"penalty": -result.item()}


def viterbi_path(arrays):
    """Return the call, and the function that makes the answer from its result."""
    a = graph(arrays, "a")

    def answer(result):
        return {"penalty": -float(np.sum(result.weights_to_list()))}

    return lambda: gtn.viterbi_path(a), answer


def ctc(arrays):
    """Return call and answer function for emissions composed with the graphs of targets."""
    emissions = np.ascontiguousarray(-arrays["emissions"], dtype=np.float32)
    targets = arrays["targets"].tolist()

    def target_graph(target):
        read = [0]
        for label in target:
            read += [label, 0]
        made = gtn.Graph(False)
        for place in range(len(read)):
            made.add_node(place == 0, place >= len(read) - 2)
        for place, label in enumerate(read):
            made.add_arc(place, place, label)
            if place:
                made.add_arc(place - 1, place, label)
            if place % 2 and place > 1 and label != read[place - 2]:
                made.add_arc(place - 2, place, label)
        return made

    def run():
        total = 0.0
        for given, target in zip(emissions, targets):
            frames = gtn.linear_graph(*given.shape, True)
            frames.set_weights(given.ctypes.data)
            score = gtn.forward_score(gtn.intersect(frames, target_graph(target)))
            gtn.backward(score)
            frames.grad().weights_to_numpy()
            total -= score.item()
        return total

    return run, lambda result: {"loss": result}


OPERATIONS = {f.__name__: f for f in (compose, forward, forward_backward, viterbi_path, ctc)}


def main():
    """Answer questions until there are no more."""
    print(json.dumps({"name": "Facebook's gtn"}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        if "operation" in question:
            known = question["operation"] in OPERATIONS
            if known:
                with np.load(question["inputs"]) as arrays:
                    run, answer = OPERATIONS[question["operation"]](dict(arrays))
            print(json.dumps({"ready": known}), flush=True)
            continue
        began = time.perf_counter()
        result = run()
        said = {"seconds": time.perf_counter() - began}
        if question["answered"]:
            said["answer"] = answer(result)
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
