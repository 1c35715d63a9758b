"""Measure us and our peers in one run: ``python -m benchmarks``, or ``make bench``.

A case (:mod:`benchmarks.case`) makes inputs of a size and lists entrants, ours first. They take
turns (:mod:`benchmarks.race`) and must give the same answers. The results are rows of a JSON file,
a page (:mod:`benchmarks.report`) and a plot (:mod:`benchmarks.plot`).
"""
