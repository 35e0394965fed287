"""The packages of the local Azure have an order, and imports point one way: towards the ground."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MACHINE_LEARNING = "localazure.arm.namespaces.machine_learning"
NOUNS = ("durations", "names", "workspace", "assets", "endpoint_resource", "online", "batch")
ALLOWED = {("localazure.monitor.scaler", "arm"): "the autoscaler acts through ARM, as a person would"}
"""Module and package of each upward import, with the reason."""


def packages() -> tuple[str, ...]:
    """The packages of localazure/ in the order of the architecture page, the ground first."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.partition("| in `localazure/` |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return tuple(re.sub(r"(/|\.py)$", "", name) for cell in cells for name in re.findall(r"`([^`]+)`", cell))


def modules_of(package: str, root: Path = ROOT) -> dict[str, Path]:
    """Every module below a package, by its dotted name; a package's own is its `__init__.py`."""
    folder = root / Path(*package.split("."))
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Mapping[str, Path], *, for_types: bool = True) -> set[str]:
    """The modules among `known` that a file imports, anywhere in it; with or without those for type checkers only."""

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom) and child.module and not child.level:
                for alias in child.names:
                    yield f"{child.module}.{alias.name}" if f"{child.module}.{alias.name}" in known else child.module
            elif isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif for_types or not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
                yield from walk(child)

    return {name for name in walk(ast.parse(path.read_text(encoding="utf-8"))) if name in known}


def package_of(module: str, package: str) -> str:
    """What a module belongs to below a package; empty for the package's own `__init__`."""
    return module.removeprefix(package).strip(".").partition(".")[0]


def upward_imports(package: str, order: Sequence[str], root: Path = ROOT) -> list[tuple[str, str]]:
    """Module and package of each import that does not point towards the ground."""
    known = modules_of(package, root)
    height = {name: at for at, name in enumerate(order)}
    return sorted(
        (module, package_of(target, package))
        for module, path in known.items()
        for target in imported(path, known)
        if package_of(module, package)  # the package itself gathers what is in it
        and package_of(target, package) != package_of(module, package)
        and height[package_of(target, package)] > height[package_of(module, package)]
    )


def circle(package: str, root: Path = ROOT) -> list[str]:
    """One circle of modules that import each other when the program runs; empty when there is none."""
    known = modules_of(package, root)
    graph = {module: imported(path, known, for_types=False) - {module} for module, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def test_every_package_has_its_place_in_the_order() -> None:
    there = {package_of(module, "localazure") for module in modules_of("localazure")} - {""}
    assert sorted(packages()) == sorted(there)


def test_imports_point_towards_the_ground() -> None:
    assert dict.fromkeys(upward_imports("localazure", packages())) == dict.fromkeys(ALLOWED)


def test_the_four_nouns_of_machine_learning_stand_in_an_order_too() -> None:
    assert {package_of(module, MACHINE_LEARNING) for module in modules_of(MACHINE_LEARNING)} == {*NOUNS, ""}
    assert upward_imports(MACHINE_LEARNING, NOUNS) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle("localazure") == []


def test_the_coverage_page_and_the_server_do_not_import_each_other() -> None:
    known = modules_of("localazure")
    page = {module for module in known if package_of(module, "localazure") == "coverage"}
    assert [module for module in known if module not in page and imported(known[module], known) & page] == []
    assert [
        module for module in page if {"localazure.__main__", "localazure.server"} & imported(known[module], known)
    ] == []


@pytest.mark.parametrize(
    ("planted", "line"),
    [
        ("store", "from localazure.arm.behaviour import Behaviour"),
        ("store", "def late():\n    from localazure.arm import behaviour"),
        ("scoring/router", "import localazure.monitor.metrics"),
        ("arm/behaviour", "if TYPE_CHECKING:\n    from localazure.server import Server"),
    ],
)
def test_a_new_upward_import_is_found(tmp_path: Path, planted: str, line: str) -> None:
    order = ("store", "scoring", "monitor", "arm", "server")
    for name in ("store", "scoring/router", "monitor/metrics", "arm/behaviour", "server"):
        path = tmp_path / "localazure" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from localazure import store\n" if name != "store" else "")
    assert upward_imports("localazure", order, tmp_path) == []
    (tmp_path / "localazure" / f"{planted}.py").write_text(line)
    ((module, _),) = upward_imports("localazure", order, tmp_path)
    assert module == f"localazure.{planted.replace('/', '.')}"


def test_a_new_circle_is_found(tmp_path: Path) -> None:
    (tmp_path / "localazure").mkdir()
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / "localazure" / f"{one}.py").write_text(f"from localazure.{other} import name")
    assert set(circle("localazure", tmp_path)) == {"localazure.a", "localazure.b", "localazure.c"}
    (tmp_path / "localazure" / "c.py").write_text("if TYPE_CHECKING:\n    from localazure.a import name")
    assert circle("localazure", tmp_path) == []
