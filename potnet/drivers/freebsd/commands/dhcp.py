"""dhclient(8) in a jail, and the devfs ruleset that shows it bpf(4) (devfs(8), devfs.rules(5))."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from potnet.errors import HostError
from potnet.executors.base import Command, Limit
from potnet.host.jail_actions import ShowPackets, StartDhcp

#: The kernel does not follow the includes of an included ruleset, so all of them are named.
_RULES = (*(("include", str(number)) for number in (1, 2, 3, 4)), ("path", "bpf*", "unhide"))


def starting(action: StartDhcp) -> Command:
    """Return the command that starts dhclient(8); with -b it does not wait for a lease."""
    argv = ("jexec", action.jail, "/sbin/dhclient", "-b", action.interface)
    return Command(argv, timeout=Limit.LONG, quiet=True, inside=True)


def showing(
    action: ShowPackets, show: Callable[[int], str], hides: Callable[[int], bool]
) -> Iterator[Command]:
    """Yield the commands that make a ruleset, unless it exists. Raises HostError if it would hide nothing."""
    if not hides(1):
        raise HostError(
            "devfs ruleset 1 hides nothing: a jail with DHCP would see every device of the host",
            hint="`service devfs restart` loads the rulesets of devfs.rules(5)",
        )
    number = str(action.number)
    wanted = [" ".join(words) for words in _RULES]
    found = [line.partition(" ")[2] for line in show(action.number).splitlines()]
    if found == wanted:
        return
    if found != wanted[: len(found)]:
        raise HostError(
            f"devfs ruleset {number} is not the one of potnet, which shows bpf(4) to jails with DHCP",
            hint=f"`devfs rule -s {number} delset` removes it, unless a jail uses it",
        )
    if found:
        # A start that was cut off left a part, which no jail uses.
        yield Command(("devfs", "rule", "-s", number, "delset"))
    for words in _RULES:
        yield Command(("devfs", "rule", "-s", number, "add", *words))
