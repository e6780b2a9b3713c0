"""The commands that start, change and remove jails (jail(8), jail.conf(5))."""

from __future__ import annotations

from potnet.drivers.freebsd.pf.rules import Render
from potnet.errors import HostError
from potnet.executors.base import Command
from potnet.host.jail_actions import Jail, SetParameters
from potnet.model.jail_parameters import split


def starting(jail: Jail, template: Render) -> Command:
    """Return the command that starts a jail. Raises HostError if a template leaves out parameters."""
    text = jail_text(jail, template)
    missing = [each for each in jail.parameters if split(each)[0] not in text]
    if missing:
        raise HostError(
            f"the template jail.conf.j2 does not set {missing[0]}",
            hint="copy the lines with `parameters` from potnet's own template into that of paths.templates",
        )
    # -i prints the new jail's JID, which saves a separate command.
    return _configured(jail, text, "-i", "-f", "-", "-c")


def stopping(jail: Jail, template: Render) -> Command:
    """Return the command that removes a jail."""
    return _configured(jail, jail_text(jail, template), "-f", "-", "-r")


def _configured(jail: Jail, text: str, *flags: str) -> Command:
    # The administrator's template may contain exec.* of jail(8), which run programs of the jail.
    return Command(("jail", *flags, jail.name), stdin=text, inside=True)


def changing(action: SetParameters) -> Command:
    """Return the command that sets parameters of a running jail."""
    return Command(("jail", "-m", f"name={action.jail}", *action.parameters))


def jail_text(jail: Jail, template: Render) -> str:
    """Return the jail.conf(5) text of a jail."""
    aliases = {
        family: [f"{interface}|{a}" for interface, a in jail.aliases if a.version == family]
        for family in (4, 6)
    }
    return template(
        "jail.conf.j2",
        {
            "name": jail.name,
            "hostname": jail.hostname,
            "root": jail.root,
            "devfs": jail.devfs,
            "vnet_interfaces": jail.vnet_interfaces,
            "aliases": aliases,
            "inherit": jail.inherit,
            "parameters": dict(map(split, jail.parameters)),
        },
    )
