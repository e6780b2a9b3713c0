"""The house: which room may import which, how large rooms, files and functions are. Read from the source."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "potnet"

#: Why a parameter is true or false.
_USER = "an option of the user, passed on"
_FACT = "a fact that was found out before"
_PART = "a part of the plan or value that the function returns"

#: From the bottom up. A room imports itself and the rooms below its line, never its line or above.
LAYERS = (
    ("errors",),
    ("runtime",),
    ("model",),
    ("pot_installation", "host"),
    ("rootless",),
    ("config", "templates"),
    ("executors.base",),
    ("drivers.base",),
    ("planning", "apply", "drivers", "executors", "store"),
    ("app",),
    ("operations",),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}

#: Who alone may use a library or module, and for what.
RESERVED = {
    "click": "cli",
    "tabulate": "cli",
    "jinja2": "templates",
    "toml": "config",
    "subprocess": ("executors", "rootless"),
    "sqlite3": ("store", "executors"),
}

#: A folder holds at most so many modules; `cli/commands` has one for each command.
MOST_MODULES, MOST_LINES, MOST_PARAMETERS = 15, 400, 5


@cache
def modules() -> tuple[str, ...]:
    """Every module below the package, by its name without ``potnet.``."""
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in found)
    return tuple(name for name in names if name != "__init__")


def source(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(source(module).read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """The absolute names of what a module imports, inside functions and for type checking too."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides where its arrow points"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """The entry of `LAYERS` that a module belongs to."""
    words = name.split(".")
    best = next((".".join(words[:n]) for n in (2, 1) if ".".join(words[:n]) in RANK), None)
    assert best is not None, f"potnet.{name} has no place in LAYERS: give it one"
    return best


def imported(module: str) -> set[str]:
    """The potnet modules that a module imports."""
    found = set()
    for name in imports(module):
        words = name.split(".")
        if words[0] == "potnet" and len(words) > 1 and name != "potnet.__version__":
            while ".".join(words[1:]) not in modules():
                words.pop()
                assert len(words) > 1, f"potnet.{module} imports {name}, which does not exist"
            found.add(".".join(words[1:]))
    return found


def room(module: str) -> str:
    """The folder that a module lives in; a package is a room of its own."""
    return module if source(module).name == "__init__.py" else module.rpartition(".")[0] or module


def test_there_is_something_to_check() -> None:
    assert {"model.pots", "config.configuration", "cli.main"} <= set(modules())


@pytest.mark.parametrize("module", modules())
def test_no_arrow_points_up(module: str) -> None:
    own = part(module)
    others = {part(other) for other in imported(module)} - {own}
    wrong = {other for other in others if RANK[other] >= RANK[own]}
    assert not wrong, f"potnet.{module} imports {sorted(wrong)}, which its layer may not"


def test_rooms_form_no_circle() -> None:
    arrows = defaultdict(set)
    for module in modules():
        arrows[room(module)] |= {room(other) for other in imported(module)} - {room(module)}
    while free := [name for name in arrows if not arrows[name] & arrows.keys()]:
        for name in free:
            del arrows[name]
    assert not arrows, f"these rooms import each other in a circle: {sorted(arrows)}"


def test_rooms_have_few_modules() -> None:
    sizes = Counter(room(module) for module in modules() if room(module) != module)
    large = {name: size for name, size in sizes.items() if size > MOST_MODULES and name != "cli.commands"}
    assert not large


def test_files_are_short() -> None:
    lengths = {name: source(name).read_text("utf-8").count("\n") for name in modules()}
    assert not {name: length for name, length in lengths.items() if length > MOST_LINES}


def test_functions_take_few_parameters() -> None:
    """A callback of click is called with the options of its command by name, however many it has."""
    many = []
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef) and not (module.startswith("cli.") and node.decorator_list):
                given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                names = [each.arg for each in given if each.arg not in ("self", "cls")]
                many += [f"{module}.{node.name}"] * (len(names) > MOST_PARAMETERS)
    assert not many


#: Parameters that may be true or false, each with the reason. Every other one makes two functions of one.
SWITCHES = {
    **dict.fromkeys(
        ("force", "overwrite", "created", "apply_now", "loopback", "deny", "allow", "isolate"), _USER
    ),
    **dict.fromkeys(("verbose", "given", "explicit", "rootless", "shared", "prefixed", "rules"), _USER),
    **dict.fromkeys(
        ("changed", "begun", "differs", "repairable", "idle", "up", "jail_there", "exists"), _FACT
    ),
    **dict.fromkeys(("host", "own", "lost", "nat6", "isolated", "promiscuous", "planned", "alone"), _FACT),
    **dict.fromkeys(("on", "devfs", "beside", "permits", "keep", "ending", "undo", "outer", "exact"), _PART),
    "follow": "of symbolic links, as open(2) has it",
    "err": "as click.echo has it",
    "leads": "how a shell completes a value",
    **dict.fromkeys(("braces", "quoted"), "a dialect of a text"),
}


def test_functions_do_not_switch_on_a_parameter() -> None:
    """The simulated tools are exempt: their functions take the flags of a command line."""
    found = set()
    for module in modules():
        for node in ast.walk(tree(module)) if not module.startswith("executors.simulated") else ():
            if isinstance(node, ast.FunctionDef) and not (module.startswith("cli.") and node.decorator_list):
                given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                found |= {
                    (each.arg, f"{module}.{node.name}")
                    for each in given
                    if each.annotation is not None and ast.unparse(each.annotation).startswith("bool")
                }
    assert not {each for each in found if each[0] not in SWITCHES}
    assert SWITCHES.keys() == {name for name, _ in found}, "a reason without a parameter"


@pytest.mark.parametrize("module", modules())
def test_only_the_application_names_concrete_drivers_and_executors(module: str) -> None:
    concrete = {"drivers", "executors"} - {part(module)}
    if module != "app":
        assert not {part(other) for other in imported(module)} & concrete


@pytest.mark.parametrize("module", modules())
def test_libraries_stay_where_they_belong(module: str) -> None:
    for name in imports(module):
        allowed = RESERVED.get(name.split(".")[0])
        assert allowed is None or part(module).split(".")[0] in allowed, f"potnet.{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("planning")])
def test_planning_is_pure(module: str) -> None:
    effects = {"os", "sys", "io", "time", "random", "secrets", "socket", "shutil", "tempfile", "datetime"}
    assert not {name.split(".")[0] for name in imports(module)} & effects
    assert not {part(other) for other in imported(module)} & {"drivers.base", "executors.base"}


#: What a platform's own tools and files are called, where a program would name them.
PLATFORM_WORDS = re.compile(
    r"\b(?:ifconfig|pfctl|jexec|jls|sysrc|sysctl|kldload|kldunload|netstat|sockstat|dnctl|rc\.conf|pf\.conf"
    r"|nft|nftables|iproute2|iptables|conntrack|netns|nsenter|modprobe|SIOC[A-Z]+|TUNSETIFF)\b"
    r"|\bip (?:link|addr|route|netns|neigh)\b|\bservice \w+ \w+|\bjail -|/dev/(?:pf|net)|/proc/sys|/sys/class"
    r"|\bnet\.(?:inet6?|link|pf|ipv[46])\."
)
#: The rooms of a platform, and what exists on FreeBSD only, each with the reason.
PLATFORMS = ("drivers.freebsd", "drivers.linux", "executors.simulated", "rootless")
FREEBSD_ONLY = {
    "cli.command_table": "jls is a word of other tools for list",
    "cli.commands.init": "init prepares the main ruleset of pf",
    "cli.commands.run_exec": "an example runs ifconfig in a pot",
    "operations.maintenance.init": "init prepares the main ruleset of pf",
    "operations.running.attach": "jail-conf writes jail.conf(5)",
    "planning.rc_conf": "lines of rc.conf(5)",
}


def platform_words(text: str) -> Iterator[str]:
    """The words of a platform in the strings of a source text; docstrings only explain."""
    found = ast.parse(text)
    explaining = {id(node.value) for node in ast.walk(found) if isinstance(node, ast.Expr)}
    for node in ast.walk(found):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explaining:
            yield from PLATFORM_WORDS.findall(node.value)


@pytest.mark.parametrize("module", [name for name in modules() if not name.startswith(PLATFORMS)])
def test_platforms_words_stay_in_their_drivers(module: str) -> None:
    """Plans and hints take a command of the host from the driver's traits."""
    found = {*platform_words(source(module).read_text("utf-8"))}
    if module in FREEBSD_ONLY:
        assert found, f"potnet.{module} needs no exception: {FREEBSD_ONLY[module]}"
    else:
        assert not found


def test_a_platforms_word_is_found() -> None:
    decides = 'def decides(argv):\n    """ifconfig(8)."""\n    return argv[0] == "ifconfig"\n'
    assert [*platform_words(decides)] == ["ifconfig"]
    assert [*platform_words('hint = f"`ip link set {name} up`"')] == ["ip link"]
    assert not [*platform_words("# pfctl(8)\nname = 'shipping'")]
