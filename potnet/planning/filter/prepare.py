"""Preparation of a host: the lines that its pf.conf(5) needs, and their places.

pf requires statements in the order of pf.conf(5): options, normalization, queueing, translation,
filtering. The translation anchors go before the first filter rule, after the administrator's own
translation, whose rules still match first. The filter anchor goes before every rule that could pass a
packet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from potnet.config.configuration import Config
from potnet.host.state import PacketFilter
from potnet.planning.filter import pf_conf

_SKIPS_LOOPBACK = re.compile(r"^\s*set\s+skip\s+on\s+(?:\{[^}]*\blo0?\b|lo0?\b)", re.MULTILINE)


def anchor_calls(config: Config) -> tuple[tuple[str, str], ...]:
    """Return the anchors that a main ruleset must evaluate, as keyword and name, in pf's order."""
    return (
        ("nat-anchor", config.nat_anchor),
        ("nat-anchor", f"{config.rdr_anchor}/*"),
        ("rdr-anchor", f"{config.rdr_anchor}/*"),
        ("anchor", f"{config.filter_anchor}/*"),
    )


def uncalled(found: PacketFilter, config: Config) -> tuple[tuple[str, str], ...]:
    """Return the `anchor_calls` that the main ruleset in force lacks."""
    there = {
        "nat-anchor": found.nat_anchors,
        "rdr-anchor": found.rdr_anchors,
        "anchor": found.filter_anchors,
    }
    return tuple((word, name) for word, name in anchor_calls(config) if name not in there[word])


def missing_calls(found: PacketFilter, config: Config) -> tuple[tuple[str, str], ...]:
    """Return the calls that the main ruleset lacks, or has only with conditions."""
    there = {(rule.action, rule.anchor) for rule in (*found.translation, *found.filters) if rule.for_all}
    return tuple(call for call in anchor_calls(config) if call not in there)


def with_anchors(text: str, config: Config) -> str:
    """Return a pf.conf that evaluates potnet's anchors; a complete text is not changed."""
    return added_anchors("", {"": text}, config)[1]


def added_anchors(path: str, texts: Mapping[str, str], config: Config) -> tuple[str, str]:
    """Return the file that potnet's anchors belong in, with its new text.

    This is the main file, or the included file in which translation ends and the filter begins. texts: of
    all these files, by path.
    """
    present = pf_conf.called(path, texts)
    missing = [call for call in anchor_calls(config) if call not in present]
    if not missing:
        return path, texts.get(path, "")
    target, line = pf_conf.place(path, texts)
    text = texts.get(target, "")
    lines = text.split("\n") if text else []
    if lines and not lines[-1]:
        lines.pop()
    added = ["# potnet(8)", *(f'{word} "{name}"' for word, name in missing)]
    return target, "\n".join([*lines[:line], *added, *lines[line:], ""])


def skips_loopback(text: str) -> bool:
    """Whether a pf.conf skips lo0, so that exports cannot be reached on the loopback."""
    return _SKIPS_LOOPBACK.search(text) is not None


def with_setting(text: str, name: str, value: str) -> str:
    """Set `name` to `value` in a sysctl.conf(5) or loader.conf(5); a correct text is not changed."""
    if re.search(rf'^\s*{re.escape(name)}\s*=\s*"?{re.escape(value)}"?\s*(?:#.*)?$', text, re.MULTILINE):
        return text
    written = f'{name}="{value}"' if value == "YES" else f"{name}={value}"
    return text + ("" if not text or text.endswith("\n") else "\n") + f"{written}\n"
