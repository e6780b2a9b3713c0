"""The names and addresses of a bridge's pots, for the hosts files of its other pots."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from potnet.model.bridges import network6_of
from potnet.model.names import is_special
from potnet.model.pots import Lease

if TYPE_CHECKING:
    from potnet.store.store import Store


def neighbours(store: Store, bridge: str) -> list[Lease]:
    """Return the leases of a bridge in address order, except those for a next start only.

    The list also omits pots of older stores with reserved names, such as localhost.

    A pot whose address was changed while it runs has two leases until it stops.
    """
    leases = [lease for name in (bridge, network6_of(bridge)) for lease in store.leases(name)]
    leases = [lease for lease in leases if not is_special(lease.pot)]
    count = Counter((lease.network, lease.pot) for lease in leases)
    runs = [store.run(name) for name in {name for (_, name), number in count.items() if number > 1}]
    now = {run.pot.name: run.pot.leased for run in runs if run is not None}
    return [lease for lease in leases if lease.address in now.get(lease.pot, (lease.address,))]
