"""No hint tells to do what could harm, wherever the path or name in it points."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "potnet"
#: Commands whose harm depends on what they are given; `potnet destroy` takes a root with all data away.
HARMFUL = re.compile(
    r"\b(chmod|chown|chflags|rm|rmdir|unlink|kill|pkill|killall|umount -f|kldunload|dd|newfs|mkfs)\b [^o]"
    r"|pfctl -(f|F|d)|jail -r|ifconfig \S+ destroy|ip link del|nft flush"
    r"|\bdestroy (a|the|these|one|it|them|what|pots)\b|zfs destroy|`mv |deletem \S"
    r"|\btruncate\b|`(reboot|shutdown)\b"
)
#: A pot in pieces has nothing but what is to be taken away. The mode is the kernel's own (tun.c).
SAFE = {
    "`potnet destroy -p {}` removes what is left",
    "chmod 666 /dev/net/tun",
    "/dev/net/tun cannot be opened: as root, `modprobe tun && chmod 666 /dev/net/tun`",
}


def texts() -> Iterator[tuple[str, str]]:
    """Where a text is that potnet may print, and the text with {} for what is filled in.

    These are all but docstrings: a remedy may be a keyword, a positional argument, or come from elsewhere.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        if "simulated" not in path.parts:
            for node, text in _texts(ast.parse(path.read_text("utf-8"))):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text


def _texts(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in each.values)
            yield each, "".join(map(str, parts))
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each, each.value
        if not _is_docstring(each):
            yield from _texts(each)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_no_text_tells_to_do_harm() -> None:
    found = list(texts())
    assert len(found) > 2000
    assert [each for each in found if HARMFUL.search(each[1]) and each[1] not in SAFE] == []


def test_remedies_are_among_the_texts() -> None:
    remedies = {text for _, text in texts()}
    for text in ("give it back to {}, or stop the pot", "chmod 666 /dev/net/tun"):
        assert text in remedies


def test_what_harms_is_noticed() -> None:
    for text in ("chmod go-w {}", "chown root {}, or run as", "`jail -r {}`", "`ifconfig {} destroy`, if"):
        assert HARMFUL.search(text)
    for text in (
        "destroy these pots first",
        "destroy it and create it",
        "`zfs destroy {}`",
        "`mv {} {}.old`",
    ):
        assert HARMFUL.search(text)
    assert not HARMFUL.search("see `ls -ld {}`")


def test_a_hint_names_the_value_and_not_its_place() -> None:
    """A text in which the f of an f-string is missing shows the braces."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint" and isinstance(node.value, ast.Constant):
                assert not re.search(r"\{[a-z_.]+\}", str(node.value.value)), (path, node.value.lineno)
