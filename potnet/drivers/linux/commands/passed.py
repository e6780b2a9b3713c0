"""Return passed links to the host, as they were."""

from __future__ import annotations

from collections.abc import Sequence

from potnet.drivers.linux.commands.words import quiet
from potnet.drivers.linux.facts.names import NAMESPACES
from potnet.executors.base import Command
from potnet.host.actions import TakeBack
from potnet.model.pots import Lent

#: A process names the host's own namespace: this shell, which therefore must outlive the move. The link gets
#: its own name first, because a pot may have given it the name of a host link. A link must be down for a
#: new name. Another link of the pot with that name gets a new name.
_TAKE_BACK = """in_pot() { nsenter --net="$pot" ip link set dev "$@"; }
pot=$1 called=$2 own=$3 free=$4
shift 4
[ $# = 0 ] || nsenter --net="$pot" ip link property del dev "$called" "$@" || exit 1
if [ "$called" != "$own" ]; then
  [ -z "$free" ] || { in_pot "$own" down && in_pot "$own" name "$free"; } || exit 1
  in_pot "$called" down && in_pot "$called" name "$own" || exit 1
fi
in_pot "$own" netns $$; exit $?"""


def taking_back(
    action: TakeBack, called: str, free: str, altnames: Sequence[str]
) -> tuple[Command, tuple[str, ...]]:
    """Take a passed link out of a pot, under the name by which the host knows it.

    free: a new name for another link of the pot that has this name; empty if there is none. altnames: further
    names that the link has now. They go first, because a link cannot return with a name of another one.
    """
    words = [word for name in altnames for word in ("altname", name)]
    names = (called, action.lent.name, free, *words)
    argv = ("sh", "-c", _TAKE_BACK, "sh", f"{NAMESPACES}/{action.jail}", *names)
    return Command(argv), restoring(action.lent, ())


def restoring(lent: Lent, altnames: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that restore a link from another namespace: it is down and without addresses.

    altnames: further names that it has now.
    """
    mac = f" address {lent.mac}" if lent.mac is not None else ""
    # Moving a link resets its address mode to that of a new link.
    silent = quiet(lent.mtu) if lent.link_local is False else ""
    group = f" group {lent.link_group}" if lent.link_group else ""
    renamed = [
        f"link property {verb} dev {lent.name} {' '.join(f'altname {each}' for each in names)}"
        for verb, names in (
            ("del", [each for each in altnames if each not in lent.altnames]),
            ("add", [each for each in lent.altnames if each not in altnames]),
        )
        if names
    ]
    own = f"link set dev {lent.name}{mac} mtu {lent.mtu}{silent}{group}{' up' if lent.up else ''}"
    return own, *renamed
