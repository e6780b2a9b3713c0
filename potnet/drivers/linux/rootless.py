"""A Linux host without root, whose exports receive connections through ports of the uplink."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from netaddr import IPAddress

from potnet.drivers.base import CommandError
from potnet.drivers.linux.commands.render import Render
from potnet.drivers.linux.driver import Linux
from potnet.drivers.linux.facts import parse
from potnet.errors import HostError
from potnet.executors.base import Command, Executor, as_shell
from potnet.host.actions import Action, CreateBridge, CreateEpair, CreateTap
from potnet.host.filter_actions import LoadAnchor
from potnet.host.query import Query
from potnet.host.ruleset import Redirections
from potnet.host.state import ActiveRedirection, AnchorRules, HostState, Listener
from potnet.host.traits import Traits
from potnet.rootless.ports.carried import ANY, Port, inside, mapped, parse_ports

_UPLINK = ("potnet", "rootless")
#: Mounts the files of a namespace as ip-netns(8) does. Arguments: its name, the program.
_OWN_FILES = """for file in /etc/netns/"$0"/*; do
  [ ! -e "$file" ] || mount --bind "$file" "/etc/${file##*/}" || exit
done
exec "$@\""""


class RootlessLinux(Linux):
    """Acts like `Linux`; in addition, a ruleset of exports opens the ports of the uplink."""

    def __init__(self, executor: Executor, template: Render, shared: bool = False) -> None:
        """Create the driver. shared: the host uses the machine's own network."""
        super().__init__(executor, template)
        self._executor = executor
        self._shared = shared

    @property
    def traits(self) -> Traits:
        """See `potnet.drivers.base.Driver`: the machine's address of a connection is invisible inside."""
        # Exports at two addresses of the machine share their entries inside.
        return replace(super().traits, ports_by_address=False, single_exports=False)

    def observe(self, query: Query) -> HostState:
        """See `potnet.drivers.base.Driver`. Listeners are the machine's, because exports use its ports."""
        anchors, all_rules = (
            tuple((anchor, inside(rules)) for anchor, rules in each)
            for each in (query.anchors, query.all_rules)
        )
        try:
            own = replace(query, listeners=False, own_addresses=(), anchors=anchors, all_rules=all_rules)
            state = replace(super().observe(own), traits=self.traits)
        except CommandError as error:
            if self._shared and "not permitted" in error.message:
                raise _only_root() from error
            raise
        if query.own_addresses:
            state = replace(state, own_addresses=self._own(query.own_addresses))
        if query.listeners:
            state = replace(state, listeners=self._listeners())
        if query.anchors:
            state = replace(state, anchors=self._with_ports(query, state))
        return state

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """See `potnet.drivers.base.Driver`: the ports of the uplink, with the machine's addresses."""
        ports = self.ports()
        return tuple(
            replace(redirection, host=port.address)
            for redirection in super().redirections(anchor, cast(Redirections, inside(expected)))
            for port in ports
            if (port.protocol, port.number) == (str(redirection.protocol), redirection.port)
        )

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """See `potnet.drivers.base.Driver`: a process in the machine's network need not enter it."""
        if not self._shared:
            return super().enter(jail, argv)
        return Command(("unshare", "--mount", "sh", "-c", _OWN_FILES, jail, *argv), timeout=None, inside=True)

    def check(self, actions: Sequence[Action]) -> None:
        """See `potnet.drivers.base.Driver`."""
        if self._shared and any(
            isinstance(action, (CreateBridge, CreateEpair, CreateTap)) for action in actions
        ):
            raise _only_root()
        super().check(actions)

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        outputs = super().perform(tuple(map(_inside, batch)))
        for command in _changes(batch):
            result = self._executor.run(command)
            if result.code != 0:
                said, _, hint = result.err.partition("\n")
                raise CommandError(command, replace(result, err=said), hint or None, range(len(batch)))
        return outputs

    def describe(self, action: Action) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        return (*super().describe(_inside(action)), *map(as_shell, _changes((action,))))

    def ports(self) -> tuple[Port, ...]:
        """Return the open ports of the uplink."""
        return parse_ports(self._ask("ports").split())

    def _ask(self, verb: str, *words: str) -> str:
        command = Command((*_UPLINK, verb, *words), changes_host=False)
        result = self._executor.run(command)
        if result.code != 0:
            said, _, hint = result.err.partition("\n")
            raise CommandError(command, replace(result, err=said), hint or None)
        return result.out

    def _listeners(self) -> tuple[Listener, ...]:
        """Return the listeners of the machine, except the uplink itself."""
        own = {replace(port, address=ANY) if port.address == "::" else port for port in self.ports()}
        found = parse.listeners(self._ask("listeners"))
        ends = (Port(str(each.protocol), each.port, str(each.address or ANY)) for each in found)
        return tuple(each for each, end in zip(found, ends, strict=True) if end not in own)

    def _own(self, addresses: Sequence[IPAddress]) -> frozenset[IPAddress]:
        """Return those of these addresses that the machine has."""
        return frozenset(map(IPAddress, self._ask("addresses", *map(str, addresses)).split()))

    def _with_ports(self, query: Query, state: HostState) -> dict[str, AnchorRules]:
        anchors = dict(state.anchors)
        wanted = {anchor: mapped(rules) for anchor, rules, *_ in query.anchors}
        if not any(wanted.values()):
            return anchors
        there = frozenset(self.ports())
        for anchor, ports in wanted.items():
            if ports and anchor in anchors:
                known = anchors[anchor]
                anchors[anchor] = replace(
                    known,
                    expected=(*known.expected, *_lines(ports)),
                    found=(*known.found, *_lines(each for each in ports if each in there)),
                )
        return anchors


def _only_root() -> HostError:
    return HostError(
        "this host shares the machine's network, where only root can create bridges",
        hint='use -N inherit, or choose another rootless.uplink than "host"',
    )


def _inside(action: Action) -> Action:
    if isinstance(action, LoadAnchor):
        return replace(action, rules=inside(action.rules), replaced=inside(action.replaced))
    return action


def _lines(ports: Iterable[Port]) -> tuple[str, ...]:
    """Return ports as lines among the rules of an anchor."""
    return tuple(f"uplink {port}" for port in ports)


def _changes(batch: Sequence[Action]) -> list[Command]:
    """Return the commands for the uplink: old ports are closed, ports of active rules are opened."""
    loads = [action for action in batch if isinstance(action, LoadAnchor)]
    wanted = dict.fromkeys(port for load in loads for port in mapped(load.rules))
    gone = dict.fromkeys(port for load in loads for port in mapped(load.replaced) if port not in wanted)
    return [
        Command((*_UPLINK, verb, *map(str, ports)))
        for verb, ports in (("close", gone), ("open", wanted))
        if ports
    ]
