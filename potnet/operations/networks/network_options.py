"""Network options of create and set: what a pot may do on its network."""

from __future__ import annotations

import re
from dataclasses import replace

from potnet.errors import PotnetError, UsageError
from potnet.host.traits import Traits
from potnet.model.pots import Pot
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The given options; None: not given."""

    isolate: bool | None = None
    internet: bool | None = None
    bandwidth_in: str | None = None
    bandwidth_out: str | None = None


#: In bits per second; dummynet(4) counts in 32 bits.
SLOWEST, FASTEST = 8_000, 4_000_000_000
_RATE = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,3})?)([KMG]?)(bit/s|Byte/s)")
_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}

UNCHANGED = NetworkOptions()


def with_options(pot: Pot, options: NetworkOptions) -> Pot:
    """Apply the options to the pot. Raises PotnetError if one is not possible."""
    given: dict[str, object] = {"--isolate": options.isolate, "--no-internet": options.internet is False}
    given |= {"--bandwidth-in": options.bandwidth_in, "--bandwidth-out": options.bandwidth_out}
    unfit = [name for name, value in given.items() if value]
    if unfit and not pot.network_type.bridged:
        raise PotnetError(
            f"{unfit[0]} is for pots on bridges: network type {pot.network_type} shares the host's network",
            hint="use -N public-bridge or -N private-bridge",
        )
    return replace(
        pot,
        isolate=pot.isolate if options.isolate is None else options.isolate,
        internet=pot.internet if options.internet is None else options.internet,
        rate_in=_rate("--bandwidth-in", options.bandwidth_in, pot.rate_in),
        rate_out=_rate("--bandwidth-out", options.bandwidth_out, pot.rate_out),
    )


def _rate(option: str, text: str | None, before: int | None) -> int | None:
    """Parse a rate in dnctl(8) notation to bits per second; ``none`` for no limit."""
    if text is None:
        return before
    if text == "none":
        return None
    match = _RATE.fullmatch(text)
    rate = int(float(match[1]) * _FACTORS[match[2]]) * (8 if match[3] == "Byte/s" else 1) if match else 0
    if not SLOWEST <= rate <= FASTEST:
        raise UsageError(
            f"invalid {option} {text!r}: a rate is a number with bit/s or Byte/s, 8Kbit/s to 4Gbit/s",
            hint="write one such as 10Mbit/s or 500KByte/s; none removes the limit",
        )
    return rate


def rate_text(rate: int | None) -> str | None:
    """Return a rate in the largest unit that divides it."""
    if rate is None:
        return None
    unit = next(unit for unit in ("G", "M", "K", "") if rate % _FACTORS[unit] == 0)
    return f"{rate // _FACTORS[unit]}{unit}bit/s"


def check_attachments(pot: Pot, traits: Traits) -> None:
    """Raises PotnetError for an option that the networks of the pot do not support."""
    limited = (pot.rate_in, pot.rate_out) != (None, None)
    lan = next((attachment.bridge for attachment in pot.attachments if attachment.lan), None)
    if lan is not None and limited and not traits.limits_lan:
        raise PotnetError(
            f"no bandwidth is limited on bridge {lan}: pf cannot delay what a bridge passes on to a LAN",
            hint="omit --bandwidth-in and --bandwidth-out, or use -N public-bridge",
        )
    if lan is not None and not pot.internet:
        raise PotnetError(
            f"--no-internet cannot hold on bridge {lan}: pots there reach the LAN without the host",
            hint="use -N private-bridge",
        )
    lan_limits = traits.limits_lan and all(attachment.lan for attachment in pot.attachments)
    if limited and not lan_limits and not all(attachment.addresses for attachment in pot.attachments):
        raise PotnetError(
            f"{pot.name} has IPv6 by SLAAC, in the external network itself: no bandwidth is limited there",
            hint="use -S ipv4, or set network.ipv6 to nat or routed",
        )
    if not pot.internet and pot.passed:
        raise PotnetError(
            f"{', '.join(pot.passed)} is passed to {pot.name}: --no-internet cannot hold there",
            hint="the host sees nothing of what goes through an interface that is the pot's own",
        )
    if not pot.internet and not all(attachment.addresses for attachment in pot.attachments):
        raise PotnetError(
            f"{pot.name} has IPv6 by SLAAC, in the external network itself: --no-internet cannot hold there",
            hint="use -S ipv4, or set network.ipv6 to nat or routed",
        )
