"""What a pot may do on its network, as create and set are told."""

from __future__ import annotations

from dataclasses import replace

from potnet.errors import PotnetError
from potnet.model import Pot
from potnet.values import dataclass


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """What is given; None: nothing is said of it."""

    isolate: bool | None = None
    internet: bool | None = None


UNCHANGED = NetworkOptions()


def with_options(pot: Pot, options: NetworkOptions) -> Pot:
    """The pot as the options want it. Raises PotnetError where it cannot have one."""
    given = {"--isolate": options.isolate, "--no-internet": options.internet is False}
    unfit = [name for name, value in given.items() if value]
    if unfit and not pot.network_type.bridged:
        raise PotnetError(
            f"{unfit[0]} is for pots on bridges: network type {pot.network_type} shares the host's network",
            hint="-N public-bridge or -N private-bridge",
        )
    return replace(
        pot,
        isolate=pot.isolate if options.isolate is None else options.isolate,
        internet=pot.internet if options.internet is None else options.internet,
    )


def check_attachments(pot: Pot) -> None:
    """Raises PotnetError for an option that needs what the networks of a pot do not give."""
    if not pot.internet and not all(attachment.addresses for attachment in pot.attachments):
        raise PotnetError(
            f"{pot.name} has IPv6 by SLAAC, in the external network itself: --no-internet cannot hold there",
            hint="-S ipv4, or addresses from the store: network.ipv6",
        )
