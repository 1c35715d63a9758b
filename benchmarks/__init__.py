"""Our times beside those of our peers, in one run: ``python -m benchmarks``, or ``make bench``.

A case (:mod:`benchmarks.case`) makes inputs of a size and lists entrants, ours first; they are
timed in turns (:mod:`benchmarks.race`), have to give the same answers, and what comes out is
rows of a JSON file, a page (:mod:`benchmarks.report`) and a plot (:mod:`benchmarks.plot`).
"""
