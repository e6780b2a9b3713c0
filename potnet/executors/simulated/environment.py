"""Read the environment of a simulated host: POTNET_SIM_BARE and POTNET_SIM_RELEASE."""

from __future__ import annotations

import os

from potnet.errors import UsageError
from potnet.executors.simulated.world.entities import HostFacts


def is_bare() -> bool:
    """Return whether a new host starts unprepared."""
    return os.environ.get("POTNET_SIM_BARE", "") not in ("", "0")


def machine() -> HostFacts:
    """Return the machine of a new host. Raises UsageError for an unknown release of FreeBSD."""
    facts, release = HostFacts(spare="em1"), os.environ.get("POTNET_SIM_RELEASE", "")
    try:
        return facts.of_release(release) if release else facts
    except ValueError:
        raise UsageError(
            f"invalid POTNET_SIM_RELEASE {release!r}: not a release of FreeBSD", hint="write one such as 15.0"
        ) from None
