"""What a Linux host must have before anything is changed: tools, a place for namespaces, nftables."""

from __future__ import annotations

from collections.abc import Sequence

from potnet.actions import Action, CreateEpair, LoadAnchor, StartJail
from potnet.drivers.linux.filter import Filter
from potnet.drivers.linux.names import LONGEST_ALIAS, NAMESPACES, root_mark
from potnet.drivers.linux.observe import Observer
from potnet.errors import HostError
from potnet.ruleset import SourceNat

#: Each tool and the Debian package that has it.
PACKAGES = {"ip": "iproute2", "ss": "iproute2", "nft": "nftables", "conntrack": "conntrack"}
#: Prints the names of missing tools, and of the folder of namespaces where none can be made.
_LOOK = """for tool in "$@"; do command -v "$tool" >/dev/null || echo "$tool"; done
for folder in /run/netns /run; do [ ! -e "$folder" ] || break; done
[ -w "$folder" ] || echo /run/netns
"""


class Preconditions:
    """Looks once in the life of a command, and only when there is something to do."""

    def __init__(self, observer: Observer, rules: Filter) -> None:
        self._observer = observer
        self._filter = rules
        self._looked = False

    def check(self, actions: Sequence[Action]) -> None:
        """Raises HostError when the actions cannot be carried out here; changes nothing."""
        if any(isinstance(action, (StartJail, CreateEpair, LoadAnchor)) for action in actions):
            self._look()
        for action in actions:
            match action:
                case StartJail(jail) if jail.vnet_interfaces:
                    _check_root(jail.root)
                case LoadAnchor(anchor, SourceNat() as rules):
                    self._try(self._filter.table(anchor, rules))

    def _look(self) -> None:
        if self._looked:
            return
        missing = self._observer.run("sh", "-c", _LOOK, "sh", *PACKAGES).out.split()
        if NAMESPACES in missing:
            raise HostError(
                f"no network namespace can be made in {NAMESPACES}: it cannot be written to",
                hint="run it as root; in a namespace of your own, `mount -t tmpfs tmpfs /run` first",
            )
        if missing:
            packages = " ".join(dict.fromkeys(PACKAGES[tool] for tool in missing))
            raise HostError(
                f"this host lacks {', '.join(missing)}", hint=f"on Debian: apt-get install {packages}"
            )
        self._looked = True

    def _try(self, text: str) -> None:
        """Let the kernel look at the whole table without taking it."""
        result = self._observer.run("nft", "-c", "-f", "-", stdin=text)
        if result.code != 0:
            said = next(iter(result.err.strip().splitlines()), "no reason given")
            raise HostError(
                f"nftables on this host does not take potnet's rules: {said}",
                hint="it needs root, Linux 5.6 with NAT, fib and maps in nf_tables, and nft 1.0",
            )


def _check_root(root: str) -> None:
    longest = LONGEST_ALIAS - len(root_mark(""))
    if len(root_mark(root)) > LONGEST_ALIAS:
        raise HostError(
            f"the root {root} is too long: a namespace can be marked with {longest} characters",
            hint="use a shorter path",
        )
