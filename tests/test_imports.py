"""The arrows of the design: who may import whom, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "potnet"

#: From the bottom up. A part imports itself and what is below its line, never its line or above.
LAYERS = (
    ("errors", "interrupts", "lean", "names", "progress", "search_path", "values"),
    ("trust", "ports"),
    ("model",),
    ("clients", "spans"),
    ("hostfwd", "installation", "ruleset", "config_values", "config_files"),
    ("environment", "host_state", "findings", "config_pot", "file_actions", "filter_actions"),
    ("rootless",),
    ("actions", "templates", "config", "executors.base"),
    ("drivers.base",),
    ("planning", "apply", "drivers", "executors", "store", "locks", "place"),
    ("app",),
    ("operations",),
    ("cli",),
    ("__main__",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

#: Who alone may use a library or module, and for what.
RESERVED = {
    "click": "cli",
    "tabulate": "cli",
    "jinja2": "templates",
    "toml": "config",
    "subprocess": ("executors", "rootless"),
    "sqlite3": ("store", "executors"),
}


def modules() -> list[str]:
    """Every module below the package, by its name without ``potnet.``."""
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in found)


def source(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(module: str) -> Iterator[str]:
    """The absolute names of what a module imports, inside functions and for type checking too."""
    path = source(module)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where its arrow points"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """The entry of `LAYERS` that a module belongs to."""
    words = name.split(".")
    best = next((".".join(words[:n]) for n in (2, 1) if ".".join(words[:n]) in RANK), None)
    assert best is not None, f"potnet.{name} has no place in LAYERS: give it one"
    return best


def inside(module: str) -> set[str]:
    """The potnet modules that a module imports, as parts."""
    names = (name.removeprefix("potnet.") for name in imports(module) if name.startswith("potnet."))
    return {part(name) for name in names if name != "__version__"}


MODULES = [module for module in modules() if module != "__init__"]


def test_there_is_something_to_check() -> None:
    assert {"model", "config", "cli.main"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_no_arrow_points_up(module: str) -> None:
    own = part(module)
    wrong = {other for other in inside(module) if other != own and RANK[other] >= RANK[own]}
    assert not wrong, f"potnet.{module} imports {sorted(wrong)}, which its layer may not"


@pytest.mark.parametrize("module", MODULES)
def test_only_the_application_names_concrete_drivers_and_executors(module: str) -> None:
    concrete = {"drivers", "executors"} - {part(module)}
    if module != "app":
        assert not inside(module) & concrete


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_where_they_belong(module: str) -> None:
    for name in imports(module):
        allowed = RESERVED.get(name.split(".")[0])
        assert allowed is None or part(module).split(".")[0] in allowed, f"potnet.{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("planning")])
def test_planning_is_pure(module: str) -> None:
    effects = {"os", "sys", "io", "time", "random", "secrets", "socket", "shutil", "tempfile", "datetime"}
    assert not {name.split(".")[0] for name in imports(module)} & effects
    assert not inside(module) & {"drivers.base", "executors.base"}
