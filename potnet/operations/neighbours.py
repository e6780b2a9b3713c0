"""The names and addresses of the pots of a bridge, as its other pots are to know them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from potnet.model import Lease

if TYPE_CHECKING:
    from potnet.store.store import Store


def neighbours(store: Store, bridge: str) -> list[Lease]:
    """The leases of a bridge in the order of addresses; those that only a next start uses are left out.

    A pot whose address was changed while it runs has two until it stops.
    """
    leases = store.leases(bridge)
    count = Counter(lease.pot for lease in leases)
    runs = {name: store.run(name) for name, number in count.items() if number > 1}
    now = {name: run.pot.ipv4 for name, run in runs.items() if run is not None}
    return [lease for lease in leases if now.get(lease.pot, lease.address) == lease.address]
