"""Names of Facebook's gtn, a package with the same import name, and what replaces them here.

A script written for it gets the answer in the error. docs/algebra.md, "Moving from gtn, k2 or
pynini", says more.
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "METHODS", "told"]

_MINUS = ", as a penalty is minus a score"
_TENSORS = ", as penalties are tensors"
_MOVED = ", which moves the penalties"
_MADE = ", as a graph does not change: Builder.build() returns it when it is made"
_UNSORTED = ", as there is nothing to sort"

FUNCTIONS = {
    "CPU": ("g.to('cpu')", _MOVED),
    "CUDA": ("g.to('cuda')", _MOVED),
    "Device": ("torch.device", ""),
    "DeviceType": ("torch.device", ""),
    "add": ("gtn.forward_penalty(g) + gtn.viterbi_penalty(g)", _TENSORS),
    "backward": ("gtn.forward_penalty(g).backward()", _TENSORS),
    "clone": ("g", ", as a graph does not change; g.detach() is one without gradients"),
    "criterion": ("gtn.nn.CTCLoss", ""),
    "cuda": ("g.to('cuda')", _MOVED),
    "epsilon": ("gtn.EPSILON", ""),
    "forward_score": ("-gtn.forward_penalty(g)", _MINUS),
    "linear_graph": ("gtn.linear(-scores)", f", of a matrix with a row for each frame{_MINUS}"),
    "loadtxt": ("gtn.load('g.npz')", "; gtn.from_openfst_text reads OpenFst's text"),
    "negate": ("-gtn.forward_penalty(g)", _TENSORS),
    "parallel_for": ("gtn.GraphBatch.from_graphs([g, g])", ", as all operations take a batch"),
    "project_input": ("gtn.project(g, 'input')", ""),
    "project_output": ("gtn.project(g, 'output')", ""),
    "rand_equivalent": ("gtn.random_equivalent(g, g)", ""),
    "remove": ("gtn.remove_epsilon(g)", ", which keeps the penalties"),
    "savetxt": ("gtn.save(g, 'g.npz')", "; gtn.to_openfst_text writes OpenFst's text"),
    "scalar_graph": ("torch.tensor(0.5)", ", as what is one number is a tensor"),
    "subtract": ("gtn.forward_penalty(g) - gtn.viterbi_penalty(g)", _TENSORS),
    "viterbi_score": ("-gtn.viterbi_penalty(g)", _MINUS),
    "write_dot": ("gtn.draw(g, 'g.dot')", ""),
}
"""By the name of a function there: what to write here for a graph ``g``, and a remark."""

METHODS = {
    "add_arc": ("gtn.Builder().add_arc", _MADE),
    "add_node": ("gtn.Builder().add_node", _MADE),
    "arc_sort": ("g", _UNSORTED),
    "calc_grad": ("g.penalties.requires_grad", ""),
    "cpu": ("g.to('cpu')", ""),
    "cuda": ("g.to('cuda')", ""),
    "grad": ("g.penalties.grad", ", which is that of a penalty, not of a score"),
    "is_cuda": ("g.penalties.is_cuda", ""),
    "is_grad_available": ("g.penalties.grad is not None", ""),
    "item": ("gtn.forward_penalty(g).item()", _TENSORS),
    "labels_to_list": ("g.ilabels.tolist()", ", or gtn.path_labels(g) of a path"),
    "mark_arc_sorted": ("g", _UNSORTED),
    "num_accept": ("len(g.finals)", ""),
    "num_start": ("len(g.starts)", ""),
    "set_weights": ("g.with_penalties(-scores)", f", which is another graph{_MINUS}"),
    "weights": ("-g.penalties", _MINUS),
    "weights_to_list": ("(-g.penalties).tolist()", _MINUS),
    "weights_to_numpy": ("-g.penalties.detach().numpy()", _MINUS),
    "zero_grad": ("g.penalties.grad = None", ""),
}
"""By the name of a method of graphs there: what to write here, and a remark."""


def told(name: str, table: dict[str, tuple[str, str]]) -> str:
    """Return the end of the message about a missing name; empty if the table lacks it.

    >>> told("project_input", FUNCTIONS)
    ", a name of Facebook's gtn, which is another package; here: gtn.project(g, 'input')"
    >>> told("project_inputs", FUNCTIONS)
    ''
    """
    if name not in table:
        return ""
    return f", a name of Facebook's gtn, which is another package; here: {''.join(table[name])}"
