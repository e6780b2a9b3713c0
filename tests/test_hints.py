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
    r"|\bdestroy (a|the|these|one|what|pots)\b"
)
#: A pot in pieces has nothing but what is to be taken away.
SAFE = {"`potnet destroy -p {}` takes the rest away; create makes it anew"}


def hints() -> Iterator[tuple[str, str]]:
    """Where a hint is, and its text with {} for what is filled in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "simulated" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in ("hint", "remedy"):
                for text in texts(node.value):
                    yield f"{path.relative_to(PACKAGE)}:{node.value.lineno}", text


def texts(node: ast.expr) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in each.values)
            yield "".join(map(str, parts))
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def test_no_hint_does_harm() -> None:
    found = list(hints())
    assert len(found) > 200
    assert [each for each in found if HARMFUL.search(each[1]) and each[1] not in SAFE] == []


def test_what_harms_is_noticed() -> None:
    for text in ("chmod go-w {}", "chown root {}, or run as", "`jail -r {}`", "`ifconfig {} destroy`, if"):
        assert HARMFUL.search(text)
    assert HARMFUL.search("destroy these pots first")
    assert not HARMFUL.search("see `ls -ld {}`")
