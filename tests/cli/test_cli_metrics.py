"""Prometheus's text format: what is written can be read back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from potnet.cli.commands.metrics import exposition, label_value

SAMPLE = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\{(?P<labels>.*)\} [0-9]+", re.DOTALL)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def test_metrics_as_text() -> None:
    pots = [({"state": "running"}, 2), ({"state": "stopped"}, 0)]
    found = [
        {
            "name": "potnet_pots", "type": "gauge", "help": "Pots, \\ by\nstate.",
            "samples": [{"labels": labels, "value": value} for labels, value in pots],
        },
        {"name": "potnet_nothing_total", "type": "counter", "help": "Nothing.", "samples": []},
        {"name": "potnet_size", "type": "gauge", "help": "Size.", "samples": [{"labels": {}, "value": 7}]},
    ]  # fmt: skip
    assert exposition(found) == (
        "# HELP potnet_pots Pots, \\\\ by\\nstate.\n# TYPE potnet_pots gauge\n"
        'potnet_pots{state="running"} 2\npotnet_pots{state="stopped"} 0\n'
        "# HELP potnet_size Size.\n# TYPE potnet_size gauge\npotnet_size 7"
    )


@given(st.dictionaries(st.sampled_from(["pot", "bridge", "interface"]), st.text(), min_size=1))
def test_labels_can_be_read_back(labels: dict[str, str]) -> None:
    metric = {"name": "potnet_x", "type": "gauge", "help": "", "samples": [{"labels": labels, "value": 1}]}
    (_, _, sample) = exposition([metric]).split("\n")
    match = SAMPLE.fullmatch(sample)
    assert match is not None
    assert {name: unescaped(value) for name, value in LABEL.findall(match["labels"])} == labels


@given(st.text())
def test_a_label_value_stays_between_its_quotes(text: str) -> None:
    assert re.fullmatch(r'(?:[^"\\\n]|\\[\\"n])*', label_value(text))
    assert unescaped(label_value(text)) == text
