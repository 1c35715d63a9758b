"""Names of Facebook's gtn (a package with the same import name), k2 and pynini, and what to write.

A script written for one of them gets the answer in the error. docs/algebra.md, "Moving from gtn, k2
or pynini", says more.
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "METHODS", "told"]

_MINUS = ", as a penalty is minus a score"
_TENSORS = ", as penalties are tensors"
_MOVED = ", which moves the penalties"
_MADE = ", as a graph does not change: Builder.build() returns it when it is made"
_UNSORTED = ", as there is nothing to sort"

_OPTIMIZED = (
    "gtn.minimize(gtn.determinize(g, side='both', semiring='tropical'), semiring='tropical')"
)
_RESULT = ", which is another graph"

_Told = dict[str, dict[str, tuple[str, str]]]

FUNCTIONS: _Told = {
    "Facebook's gtn, which is another package": {
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
    },
    "k2": {
        "DenseFsaVec": ("gtn.linear(-scores)", "; gtn.dense and the losses take -scores itself"),
        "Fsa": ("gtn.from_arcs([(0, 1, 'a', 0.5)], final=1)", "; any node can be final"),
        "FsaVec": ("gtn.GraphBatch.from_graphs([g, g])", ""),
        "add_epsilon_self_loops": ("g", ", as epsilons need no loops"),
        "arc_sort": ("g", _UNSORTED),
        "create_fsa_vec": ("gtn.GraphBatch.from_graphs([g, g])", ""),
        "ctc_graph": ("gtn.nn.ctc_graphs([[1, 2]])", ""),
        "ctc_loss": ("gtn.nn.CTCLoss()(-scores, [1, 2])", _MINUS),
        "ctc_topo": ("gtn.nn.ctc_topology(5)", ", of five classes, the blank included"),
        "intersect_dense": (
            "gtn.dense.forward_penalty(-scores, g)",
            "; the lattice is gtn.linear(-scores) @ g",
        ),
        "intersect_dense_pruned": (
            "gtn.compose(gtn.linear(-scores), g, beam=8.0)",
            "; grammars.decoding has a decoder",
        ),
        "intersect_device": ("gtn.intersect(g, g)", ""),
        "is_rand_equivalent": ("gtn.random_equivalent(g, g)", ""),
        "levenshtein_graph": ("gtn.nn.edit_distances([[1, 2]], [1, 3])", ""),
        "linear_fsa": ("gtn.string([1, 2])", ""),
        "prune_on_arc_post": ("gtn.prune(g, posterior=0.01)", ""),
        "random_paths": ("gtn.sample(g, 3)", ""),
        "replace_fsa": ("gtn.replace(g, {1: gtn.string([3])})", ""),
        "shortest_path": ("gtn.viterbi_path(g)", ""),
        "top_sort": ("gtn.topsort(g)", ""),
    },
    "pynini": {
        "Arc": ("gtn.from_arcs([(0, 1, 'a', 0.5)], final=1)", ""),
        "Fst": ("gtn.Builder()", _MADE),
        "VectorFst": ("gtn.Builder()", _MADE),
        "accep": ("gtn.string('cat')", ""),
        "cdrewrite": (
            "grammars.rewriting.rewrite({'a': 'b'}, before='c', after='d', alphabet='abcd')",
            "",
        ),
        "optimize": (_OPTIMIZED, ""),
        "randequivalent": ("gtn.random_equivalent(g, g)", ""),
        "randgen": ("gtn.sample(g, 3)", ""),
        "rmepsilon": ("gtn.remove_epsilon(g)", ""),
        "shortestdistance": ("gtn.shortest_distance(g)", ""),
        "shortestpath": ("gtn.viterbi_path(g)", ", or gtn.n_best(g, 3)"),
        "string_map": (
            "gtn.cross(gtn.strings(['one', 'two']), gtn.strings(['1', '2'])).united()",
            "",
        ),
    },
}
"""By library and name of a function there: what to write here for a graph ``g``, and a remark."""

METHODS: _Told = {
    "Facebook's gtn, which is another package": {
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
    },
    "k2": {
        "as_dict": ("gtn.save(g, 'g.npz')", ""),
        "aux_labels": ("g.olabels", ""),
        "get_arc_post": ("gtn.arc_posteriors(g)", ", which are not logarithms"),
        "get_backward_scores": ("-gtn.shortest_distance(g, 'backward')", _MINUS),
        "get_forward_scores": ("-gtn.shortest_distance(g)", _MINUS),
        "get_tot_scores": ("-gtn.forward_penalty(g)", f", or -gtn.viterbi_penalty(g){_MINUS}"),
        "labels": ("g.ilabels", ""),
        "requires_grad_": ("g.penalties.requires_grad_()", ""),
        "scores": ("-g.penalties", _MINUS),
    },
    "pynini": {
        "add_state": ("gtn.Builder().add_node", _MADE),
        "arcs": ("zip(g.src, g.dst, g.ilabels, g.olabels, g.penalties.tolist())", ", of all nodes"),
        "arcsort": ("g", _UNSORTED),
        "copy": ("g", ", as a graph does not change"),
        "input_symbols": ("g.isymbols", ""),
        "num_states": ("g.num_nodes", ""),
        "optimize": (_OPTIMIZED, ""),
        "output_symbols": ("g.osymbols", ""),
        "paths": ("gtn.path_text(gtn.n_best(g, 10))", ""),
        "plus": ("g.closure(plus=True)", ""),
        "ques": ("g.closure(upper=1)", ""),
        "relabel_pairs": ("gtn.relabel(g, {1: 3})", _RESULT),
        "rmepsilon": ("gtn.remove_epsilon(g)", _RESULT),
        "set_final": ("gtn.Builder().add_node(final=True)", _MADE),
        "set_input_symbols": ("g.with_symbols(gtn.SymbolTable('abc'))", _RESULT),
        "set_output_symbols": ("g.with_symbols(gtn.SymbolTable('abc'))", _RESULT),
        "set_start": ("gtn.Builder().add_node(start=True)", _MADE),
        "star": ("g.closure()", ""),
        "states": ("range(g.num_nodes)", ""),
        "write": ("gtn.to_openfst_binary(g)", ", which are the bytes of such a file"),
    },
}
"""By library and name of a method there: what to write here, and a remark."""


def told(name: str, table: _Told) -> str:
    """Return the end of the message about a missing name; empty if the table lacks it.

    >>> told("project_input", FUNCTIONS)
    ", a name of Facebook's gtn, which is another package; here: gtn.project(g, 'input')"
    >>> told("rmepsilon", FUNCTIONS)
    ', a name of pynini; here: gtn.remove_epsilon(g)'
    >>> told("project_inputs", FUNCTIONS)
    ''
    """
    for library, names in table.items():
        if name in names:
            return f", a name of {library}; here: {''.join(names[name])}"
    return ""
