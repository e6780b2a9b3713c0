"""Where the anchors go in a pf.conf."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potnet.config.configuration import load
from potnet.planning.filter.prepare import skips_loopback, with_anchors, with_setting

CONFIG = load(None)
ADDED = [
    "# potnet(8)",
    'nat-anchor "pot-nat"',
    'nat-anchor "pot-rdr/*"',
    'rdr-anchor "pot-rdr/*"',
    'anchor "pot-filter/*"',
]


def test_an_empty_file_gets_all_four() -> None:
    assert with_anchors("", CONFIG).splitlines() == ADDED


def test_they_go_behind_translation_and_before_the_first_filter_rule() -> None:
    text = (
        'ext = "em0"\nset skip on lo0\ntable <bad> { \\\n  192.0.2.1 }\nscrub in all\n'
        "nat on $ext from 172.16.0.0/12 -> ($ext)\n\n# rules\nblock all\npass out keep state"
    )
    lines = with_anchors(text, CONFIG).splitlines()
    assert lines[8 : 8 + len(ADDED)] == ADDED
    assert lines[:8] + lines[8 + len(ADDED) :] == text.splitlines()


def test_a_host_that_was_prepared_for_pot_gets_what_is_missing_only() -> None:
    text = 'nat-anchor pot-nat\nrdr-anchor "pot-rdr/*"\npass\n'
    assert with_anchors(text, CONFIG).splitlines() == [
        "nat-anchor pot-nat",
        'rdr-anchor "pot-rdr/*"',
        "# potnet(8)",
        'nat-anchor "pot-rdr/*"',
        'anchor "pot-filter/*"',
        "pass",
    ]


def test_a_commented_anchor_does_not_count_and_a_continued_line_is_not_cut() -> None:
    text = '# nat-anchor "pot-nat"\nnat on em0 from any \\\npass -> (em0)\npass\n'
    lines = with_anchors(text, CONFIG).splitlines()
    assert lines.index("# potnet(8)") == 3
    assert 'nat-anchor "pot-nat"' in lines


LINE = st.one_of(
    st.sampled_from([*ADDED, "pass", "block all", "set skip on lo0", "nat on em0 -> (em0) \\", ""]),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20),
)


@given(st.lists(LINE, max_size=8))
def test_nothing_is_lost_and_twice_is_harmless(lines: list[str]) -> None:
    text = "\n".join(lines)
    once = with_anchors(text, CONFIG)
    assert with_anchors(once, CONFIG) == once
    remaining = iter(once.split("\n"))
    assert all(line in remaining for line in text.split("\n") if line)


@pytest.mark.parametrize("text", ["set skip on lo0\n", "  set skip on { em1 lo0 }\n", "set skip on lo\n"])
def test_a_ruleset_that_skips_loopback_is_noticed(text: str) -> None:
    assert skips_loopback(text)
    assert not skips_loopback("# " + text.strip())


@pytest.mark.parametrize("text", ["", "kern.x=1", "net.pf.filter_local=0\n"])
def test_sysctl_conf_gets_one_line_once(text: str) -> None:
    once = with_setting(text, "net.pf.filter_local", "1")
    assert once.endswith("\nnet.pf.filter_local=1\n") or once == "net.pf.filter_local=1\n"
    assert with_setting(once, "net.pf.filter_local", "1") == once
    assert with_setting('pf_load="YES" # mine', "pf_load", "YES") == 'pf_load="YES" # mine'


def test_the_configuration_names_the_anchors(tmp_path: Path) -> None:
    path = tmp_path / "potnet.toml"
    path.write_text('[pf]\nnat_anchor = "n"\nrdr_anchor = "r"\nfilter_anchor = "f"\n')
    assert 'rdr-anchor "r/*"' in with_anchors("", load(path, explicit=True))
