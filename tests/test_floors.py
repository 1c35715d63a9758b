"""The floors: a file imports only from floors below its own, and never in circles."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import pytest

import gtn

ROOT = Path(__file__).parents[1]
PACKAGES = ("gtn", "recognizers", "grammars", "demos")
VERBS = 3
FLOORS = {
    "gtn.kernels": 1,
    "gtn.errors": 2.0,
    "gtn.arguments": 2.0,
    "gtn.foreign_names": 2.0,
    "gtn.symbols": 2.1,
    "gtn.indexes": 2.1,
    "gtn.data": 2.2,
    "gtn.topology": 2.2,
    "gtn.graph": 2.3,
    "gtn.batch": 2.4,
    "gtn.nn": 4,
    "gtn": VERBS,  # every other module of gtn
    "grammars": 5,
    "recognizers": 5,
    "demos": 6,
}
OF_GTN = {"numpy", "torch", "numba", "scipy", "networkx", "graphviz", "hypothesis"}
COMMAND_LINE = {"typer", "click", "argparse"}


class Import(NamedTuple):
    importer: str
    imported: str
    line: int
    inside: bool  # a function


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(p): p for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py"))}


def imports_of(module: str, source: str, modules: frozenset[str]) -> list[Import]:
    """All imports of a file, each with whether it stands inside a function."""
    tree = ast.parse(source)
    within = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are written in full"
            assert node.module is not None
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in whole]
        else:
            continue
        found += [Import(module, name, node.lineno, id(node) in within) for name in names]
    return found


IMPORTS = [
    found
    for module, path in FILES.items()
    for found in imports_of(module, path.read_text(encoding="utf-8"), frozenset(FILES))
]


def floor(module: str) -> float:
    """The floor of a module: that of its longest prefix that has one."""
    parts = module.split(".")
    known = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next(FLOORS[name] for name in known if name in FLOORS)


def ours(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


def may_import(importer: str, imported: str) -> bool:
    """Whether one of our modules may import another."""
    packages = importer.split(".")[0], imported.split(".")[0]
    if importer == "gtn":  # the public names
        return packages[1] == "gtn"
    if imported == "gtn":  # the public names are for those outside
        return packages[0] != "gtn"
    if floor(importer) == floor(imported):  # neighbours of one package, circles apart
        return packages[0] == packages[1] and floor(importer) >= VERBS
    return floor(importer) > floor(imported)


def named(found: Import) -> str:
    return f"{FILES[found.importer].relative_to(ROOT)}:{found.line} imports {found.imported}"


def test_files_are_found():
    assert {"gtn", "gtn.graph", "gtn.kernels", "gtn.kernels.reachability"} <= FILES.keys()
    assert any(i.importer == "gtn.graph" and i.imported == "gtn.topology" for i in IMPORTS)


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("gtn.kernels.scoring", "gtn.errors", False),
        ("gtn.errors", "gtn.symbols", False),
        ("gtn.symbols", "gtn.errors", True),
        ("gtn.data", "gtn.topology", False),
        ("gtn.graph", "gtn.batch", False),
        ("gtn.batch", "gtn.graph", True),
        ("gtn.graph", "gtn.composition", False),
        ("gtn.scoring", "gtn.construction", True),
        ("gtn.scoring", "gtn.nn", False),
        ("gtn.scoring.recursion", "gtn.nn", False),
        ("gtn.nn", "gtn.scoring", True),
        ("gtn.scoring", "gtn", False),
        ("gtn", "gtn.nn", True),
        ("gtn.nn", "recognizers.lenet", False),
        ("recognizers.fields", "gtn", True),
        ("recognizers.fields", "recognizers.lenet", True),
        ("recognizers.fields", "grammars.amounts", False),
        ("grammars.amounts", "recognizers.fields", False),
        ("grammars.amounts", "demos.checks", False),
        ("demos.checks.reading.reader", "grammars.amounts", True),
    ],
)
def test_the_rule_itself(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


def test_imports_inside_functions_are_seen():
    source = "import os\ndef f():\n    def g():\n        from gtn import graph\n"
    assert imports_of("x", source, frozenset({"gtn.graph"})) == [
        Import("x", "os", 1, False),
        Import("x", "gtn.graph", 4, True),
    ]


def test_imports_go_down():
    wrong = [
        named(i)
        for i in IMPORTS
        if ours(i.imported)
        and not (i.inside and i.importer == "gtn.graph")
        and not may_import(i.importer, i.imported)
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_stand_at_the_top_of_their_file():
    wrong = [named(i) for i in IMPORTS if i.inside and i.importer != "gtn.graph"]
    assert not wrong, "\n".join(wrong)


def loaded_by(importer: str, imported: str) -> list[str]:
    """The modules that an import runs: first the packages that the module lies in.

    Packages in which the importer lies as well are running already.
    """
    parts = imported.split(".")
    packages = [".".join(parts[:n]) for n in range(1, len(parts))]
    return [p for p in packages if not f"{importer}.".startswith(f"{p}.")] + [imported]


def circles_of(links: nx.DiGraph) -> list[set[str]]:
    circles = [c for c in nx.strongly_connected_components(links) if len(c) > 1]
    return circles + [{name} for name in nx.nodes_with_selfloops(links)]


def test_packages_are_loaded_before_their_modules():
    assert loaded_by("gtn.batch", "gtn.graph") == ["gtn.graph"]
    assert loaded_by("gtn.pushing", "gtn.paths.distance") == ["gtn.paths", "gtn.paths.distance"]
    assert loaded_by("gtn.paths.ranking", "gtn.paths.ways") == ["gtn.paths.ways"]
    assert loaded_by("gtn.paths", "gtn.paths.viterbi") == ["gtn.paths.viterbi"]


def test_no_circles():
    links = nx.DiGraph(
        (i.importer, module)
        for i in IMPORTS
        if not i.inside
        for module in loaded_by(i.importer, i.imported)
    )
    assert not circles_of(links), circles_of(links)


def test_folders_of_gtn_go_round_no_more_than_files():
    links = nx.DiGraph(
        (a[1], b[1])
        for i in IMPORTS
        if not i.inside
        for a, b in [(i.importer.split("."), i.imported.split("."))]
        if a[0] == b[0] == "gtn" and len(a) > 1 and len(b) > 1 and a[1] != b[1]
    )
    assert {"product", "beam", "paths", "composition"} <= set(links)
    assert not circles_of(links), circles_of(links)


@pytest.mark.parametrize(
    ("demo", "folders"),
    [
        (
            "checks",
            "reading measuring training whole report experiments composing options commands",
        ),
        ("words", "reading samples measuring training report pad experiments options commands"),
    ],
)
def test_folders_of_a_demo_import_in_one_order(demo, folders):
    order = folders.split()
    inside = {p.name for p in (ROOT / "demos" / demo).iterdir() if (p / "__init__.py").exists()}
    assert inside == set(order)
    wrong = [
        named(i)
        for i in IMPORTS
        for a, b in [(i.importer.split("."), i.imported.split("."))]
        if a[:2] == b[:2] == ["demos", demo]
        if a[2] in order and b[2] in order and order.index(a[2]) < order.index(b[2])
    ]
    assert not wrong, "\n".join(wrong)


def test_gtn_depends_on_what_it_declares():
    known = OF_GTN | set(sys.stdlib_module_names) | {"gtn"}
    wrong = [
        named(i)
        for i in IMPORTS
        if i.importer.split(".")[0] == "gtn" and i.imported.split(".")[0] not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_kernels_know_neither_graph_nor_torch():
    known = {"numpy", "numba"} | set(sys.stdlib_module_names)
    wrong = [
        named(i)
        for i in IMPORTS
        if i.importer.startswith("gtn.kernels") and i.imported.split(".")[0] not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_only_demos_read_the_command_line():
    wrong = [
        named(i)
        for i in IMPORTS
        if i.imported.split(".")[0] in COMMAND_LINE and not i.importer.startswith("demos")
    ]
    assert not wrong, "\n".join(wrong)


def test_import_compiles_nothing(tmp_path):
    count = "print(sum(p.is_file() for p in pathlib.Path(sys.argv[1]).rglob('*')))"
    program = f"import pathlib, sys, gtn; {count}; gtn.string('ab').topology.incoming; {count}"
    cache = tmp_path / "cache"
    cache.mkdir()
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(cache)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    after_import, after_use = map(int, done.stdout.split())
    assert after_import == 0
    assert after_use > 0  # that folder is where compiled kernels go


def test_importing_the_library_loads_no_graph_library_it_may_never_need():
    program = (
        "import sys, gtn; late = {'networkx', 'scipy.sparse', 'gtn.drawing', 'gtn.interchange'}; "
        "assert not late & set(sys.modules), late & set(sys.modules); "
        "assert set(gtn.__all__) <= set(dir(gtn)); "
        "assert all(getattr(gtn, name) is not None for name in gtn.__all__); "
        "assert 'networkx' in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gtn.nothing
