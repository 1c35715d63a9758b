"""Graphs whose penalties are learned, for tests of gradients."""


def learning(graph):
    """Return the graph with all its penalties as leaf tensors, and these: arcs, starts, finals."""
    leaves = [
        p.detach().clone().requires_grad_()
        for p in (graph.penalties, graph.start_penalties, graph.final_penalties)
    ]
    g = graph.with_penalties(leaves[0], start_penalties=leaves[1], final_penalties=leaves[2])
    return g, leaves
