"""The names and addresses of the pots of a bridge, as its other pots are to know them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from potnet.model.names import is_special
from potnet.model.pots import Lease, network6_of

if TYPE_CHECKING:
    from potnet.store.store import Store


def neighbours(store: Store, bridge: str) -> list[Lease]:
    """The leases of a bridge in the order of addresses; those that only a next start uses are left out.

    So are pots of older stores that are called like something else, such as localhost.

    A pot whose address was changed while it runs has two until it stops.
    """
    leases = [lease for name in (bridge, network6_of(bridge)) for lease in store.leases(name)]
    leases = [lease for lease in leases if not is_special(lease.pot)]
    count = Counter((lease.network, lease.pot) for lease in leases)
    runs = [store.run(name) for name in {name for (_, name), number in count.items() if number > 1}]
    now = {run.pot.name: run.pot.leased for run in runs if run is not None}
    return [lease for lease in leases if lease.address in now.get(lease.pot, (lease.address,))]
