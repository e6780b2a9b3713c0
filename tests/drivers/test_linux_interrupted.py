"""Lists that changed while the kernel gave them."""

from __future__ import annotations

import json

import pytest

from potnet.drivers.base import CommandError
from potnet.drivers.linux.facts.observe import Observer
from potnet.executors.base import Command, CommandResult
from potnet.host.query import Query

LINKS = [
    {"ifname": name, "flags": ["UP"], "mtu": 1500, "link_type": "ether", "address": "02:fc:00:00:00:01"}
    for name in ("eth0", "epair0a")
]
COMPLAINT = "Dump was interrupted and may be inconsistent.\n"


class Busy:
    """A host whose links come and go during the first so many answers, which lack one of them."""

    def __init__(self, interruptions: int) -> None:
        self.left = interruptions

    def run(self, command: Command) -> CommandResult:
        assert not command.changes_host
        if self.left == 0:
            return CommandResult(0, json.dumps(LINKS), "")
        self.left -= 1
        return CommandResult(0, json.dumps(LINKS[:1]), COMPLAINT)


@pytest.mark.parametrize("interruptions", [0, 1, 7])
def test_a_list_with_gaps_is_asked_for_again(interruptions: int) -> None:
    host = Observer(Busy(interruptions)).observe(Query(interfaces=None))
    assert set(host.interfaces) == {"eth0", "epair0a"}


def test_a_host_that_never_gives_a_whole_list_is_an_error() -> None:
    with pytest.raises(CommandError, match="Dump was interrupted"):
        Observer(Busy(10**6)).observe(Query(interfaces=None))
