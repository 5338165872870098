"""Keeps the house: who may import whom, one door to each outside library, no cycles."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "builder"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
GROUND = {"builder.findings", "builder.units", "builder.errors", "builder.secret", "builder.progress"}
STUDY = {"profile", "media", "preseed", "image", "xen", "storage"}
# room -> rooms it may import, besides its own
MAY_IMPORT = {
    "cli": {"workflows", "report", "host", "plan", "ground"} | STUDY,
    "workflows": {"plan", "report", "host", "ground"} | STUDY,
    "plan": {"ground"} | STUDY,
    "report": {"plan", "ground"} | STUDY,
    "host": {"ground"} | STUDY,
    **{room: {"ground"} | STUDY for room in STUDY},
    "ground": set(),
}
DOORS = {
    "subprocess": "builder.host.run",
    "requests": "builder.host.fetch",
    "jinja2": "builder.preseed.render",
    "pycdlib": "builder.image.iso",
    "typer": "builder.cli",
    "yaml": "builder.profile",
    "pydantic": "builder.profile",
    "rich": "builder.report",
    "debian": "builder.media",
}
# What the study may not touch: the network, other programs, the clock, the environment.
HANDS = {"os", "socket", "subprocess", "time", "requests", "shutil", "tempfile", "urllib.request", "fcntl"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room_of(module: str) -> str:
    return "ground" if module in GROUND or module == "builder" else module.split(".")[1]


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    allowed = MAY_IMPORT[room_of(name)] | {room_of(name)}
    seen = {room_of(module) for module in imports(MODULES[name]) & MODULES.keys()}
    assert seen <= allowed, f"{name} may not import {sorted(seen - allowed)}"


@pytest.mark.parametrize("name", MODULES)
def test_outside_libraries_enter_by_one_door(name: str) -> None:
    tops = {module.split(".")[0] for module in imports(MODULES[name])}
    strays = {
        library
        for library, door in DOORS.items()
        if library in tops and name != door and not name.startswith(door + ".")
    }
    assert not strays, f"{name} imports {strays}; ask {[DOORS[library] for library in strays]} instead"


@pytest.mark.parametrize("name", [name for name in MODULES if room_of(name) in STUDY])
def test_the_study_has_no_hands(name: str) -> None:
    assert not imports(MODULES[name]) & HANDS


def test_there_are_no_import_cycles() -> None:
    TopologicalSorter({name: (imports(path) & MODULES.keys()) - {name} for name, path in MODULES.items()}).prepare()


@pytest.mark.parametrize("name", MODULES)
def test_only_the_front_door_catches_everything(name: str) -> None:
    broad = [
        node.lineno
        for node in ast.walk(ast.parse(MODULES[name].read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    assert not broad or name == "builder.cli.app", f"{name}: broad except in lines {broad}"
