"""The versions that programs tell of themselves."""

from __future__ import annotations

import pytest

from potnet.rootless.uplinks.versions import version_of


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("slirp4netns version 1.2.0\ncommit: 656041d\nlibslirp: 4.7.0", "1.2.0"),
        ("pasta 0.0~git20230309.7c7625d-1\nCopyright", "0.0~git20230309.7c7625d-1"),
        ("pasta 2024_06_07.8a83b53\nCopyright", "2024_06_07.8a83b53"),
        # As Debian 12 has it.
        ("pasta unknown version\nhttps://www.gnu.org/licenses/agpl-3.0.html", None),
        ("5.0.2", "5.0.2"),
        ("v0.5.0-20-g2be3a1b", "0.5.0-20-g2be3a1b"),
        ("", None),
    ],
)
def test_a_version_is_on_the_first_line(said: str, version: str | None) -> None:
    assert version_of(("printf", "%s\n", said)) == version
