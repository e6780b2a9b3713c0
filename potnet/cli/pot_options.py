"""The options that create and set share, each declared once; the help differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from potnet.cli.known_names import INTERFACE, PARAMETER, POT, USER

#: By the name of its value: the spellings, and how click reads it. None or empty: not given.
_DECLARED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "addresses": (("-i", "--ip", "addresses"), {"multiple": True, "metavar": "auto|dhcp|[IF|]ADDR"}),
    "macs": (("--mac", "macs"), {"multiple": True, "metavar": "MAC"}),
    "mtu": (("--mtu",), {"type": int, "metavar": "BYTES"}),
    "passed": (("--pass", "passed"), {"multiple": True, "type": INTERFACE, "metavar": "IF"}),
    "resolver": (("-d", "--dns", "resolver"), {"metavar": "RESOLVER"}),
    "hostname": (("--hostname",), {}),
    "command": (("--cmd", "command"), {"metavar": "COMMAND"}),
    "boot": (("--boot/--no-boot",), {"default": None}),
    "needs": (("--needs",), {"multiple": True, "type": POT, "metavar": "POT"}),
    "priority": (("--priority",), {"type": int, "metavar": "N"}),
    "parameters": (
        ("--param", "parameters"),
        {"multiple": True, "type": PARAMETER, "metavar": "NAME[=VALUE]"},
    ),
    "owner": (("--owner",), {"type": USER, "metavar": "USER"}),
    "isolate": (("--isolate/--no-isolate",), {"default": None}),
    "internet": (("--internet/--no-internet",), {"default": None}),
    "bandwidth_in": (("--bandwidth-in",), {"metavar": "RATE"}),
    "bandwidth_out": (("--bandwidth-out",), {"metavar": "RATE"}),
}

#: The options for a pot's traffic, with the same help in both commands.
_TRAFFIC = {
    "isolate": "Block traffic to and from other isolated pots on its bridges.",
    "internet": "Allow connections to the outside.",
    "bandwidth_in": "Limit of what the pot receives, such as 10Mbit/s.",
    "bandwidth_out": "Limit of what the pot sends.",
}

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def pot_option(name: str, help_: str) -> _Decorator:
    """Add a shared option."""
    spellings, attributes = _DECLARED[name]
    return click.option(*spellings, help=help_, **attributes)


def traffic_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for a pot's traffic."""
    for name, help_ in reversed(_TRAFFIC.items()):
        function = pot_option(name, help_)(function)
    return function


def settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are given as fields of a request; the options for traffic are its `network`."""
    from potnet.operations.networks.network_options import NetworkOptions

    found = {name: value for name, value in given.items() if value not in (None, ())}
    traffic = {name: found.pop(name) for name in _TRAFFIC if name in found}
    return found | {"network": NetworkOptions(**traffic)}
