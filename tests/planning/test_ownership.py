"""A jail is potnet's own only if name, path and JID are those of the recorded start."""

from __future__ import annotations

import pytest

from potnet.host.state import JailState
from potnet.model.pots import NetworkType, Pot, Run, Stack
from potnet.planning.ownership import owned

POT = Pot("web", NetworkType.INHERIT, Stack.IPV4, "/jails/web")


@pytest.mark.parametrize("recorded", [7, None])
@pytest.mark.parametrize(
    ("jid", "path", "own"),
    [(7, "/jails/web", True), (7, "/jails/other", False), (7, "/", False), (7, "/jails/web/m", False)],
)
def test_a_jail_with_another_root_is_not_owned(recorded: int | None, jid: int, path: str, own: bool) -> None:
    assert owned(Run(POT, recorded), JailState(jid, "web", path)) is own


def test_a_jail_with_another_jid_is_not_owned() -> None:
    assert not owned(Run(POT, 7), JailState(8, "web", "/jails/web"))
    assert not owned(None, JailState(7, "web", "/jails/web"))
