"""The way out of a jail, in the only order that is safe for the host.

A jail may rename its interfaces. An interface that comes home when its jail is removed keeps that name, even
if the host has one of this name, which pf then loses. So what is the host's leaves the jail before it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from potnet.host.actions import Action, DestroyInterface, EndProcesses, Jail, Step, StopJail, TakeBack
from potnet.model.pots import Lent, Pot


def way_out(
    pot: Pot, ends: Iterable[str], lent: Sequence[Lent], jail: Jail | None, jid: int | None = None
) -> tuple[Step, ...]:
    """Ends processes, removes epairs, takes passed interfaces back, and removes the jail.

    ends: the host's ends of its epairs, or taps. jail: None for one that stays, with all that runs in it.
    """
    own = jail is not None and bool(jail.vnet_interfaces)
    end = Step(EndProcesses(pot.name, jid), None, "nothing in it renames an interface from now on")
    # Either end of an epair: destroying one removes both, wherever and whatever the other is.
    wires = [Step(DestroyInterface(name, pot.owner)) for name in ends]
    # As long as something runs in the jail, an interface that looks like the one may be another.
    quiet: tuple[Action, ...] = (end.action,) if own else ()
    back = [Step(TakeBack(each, pot.name), None, "the host's again", quiet) for each in lent]
    steps = (*((end,) if own else ()), *wires, *back)
    if jail is None:
        return steps
    before = tuple(step.action for step in (*wires, *back))
    return (*steps, Step(StopJail(jail), None, "nothing of the host's is in it", before))
