"""Replace an uplink without connecting anything: for a dry run, or a look at a stopped host."""

from __future__ import annotations

from potnet.rootless.ports.carried import Port
from potnet.rootless.uplinks.inside import run_inside
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Facts, Target, Uplink

_INTERFACE = "tap0"


class StandIn:
    """See `uplink.Uplink`: an interface that leads nowhere. planned: the replaced uplink."""

    name = "none"

    def __init__(self, options: Options, planned: Uplink | None) -> None:
        self._options = options
        self._planned = planned
        self._interface = None if options.uplink == "host" else _INTERFACE
        if planned is not None:
            self._interface = planned.facts().interface

    @property
    def nameserver(self) -> str | None:
        """See `Uplink`."""
        return self._planned.nameserver if self._planned is not None else None

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """See `Uplink`: the commands of the replaced uplink."""
        return self._planned.commands(target) if self._planned is not None else ()

    def start(self, target: Target) -> None:
        """See `Uplink`."""
        if self._interface is None:
            return
        given = self._options
        lines = (
            f"link add name {self._interface} type veth peer name nowhere",
            f"link set dev {self._interface} up",
            f"addr add {given.address}/{given.network.prefixlen} dev {self._interface}",
            f"route add default via {given.gateway}",
        )
        run_inside(target, "ip", "-batch", "-", stdin="\n".join(lines))

    def stop(self) -> None:
        """See `Uplink`."""

    def ended(self) -> int | None:
        """See `Uplink`."""
        return None

    def add_port(self, *ports: Port) -> None:
        """See `Uplink`."""

    def remove_port(self, *ports: Port) -> None:
        """See `Uplink`."""

    def list_ports(self) -> tuple[Port, ...]:
        """See `Uplink`."""
        return ()

    def facts(self) -> Facts:
        """See `Uplink`."""
        return Facts(self.name, None, None, self._interface, str(self._options.address), None)
