"""The steps that remove a jail and its interfaces, in the only order that is safe for the host.

A jail may rename its interfaces. An interface that returns when its jail is removed keeps the new name. If
the host has an interface of this name, pf loses that one. potnet therefore takes the host's interfaces
back before it removes the jail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from potnet.host.actions import Action, DestroyInterface, Step, TakeBack
from potnet.host.jail_actions import EndProcesses, Jail, StopJail
from potnet.model.pots import Lent, Pot


def way_out(
    pot: Pot, ends: Iterable[str], lent: Sequence[Lent], jail: Jail | None, jid: int | None = None
) -> tuple[Step, ...]:
    """End processes, destroy epairs, take passed interfaces back, and remove the jail.

    ends: the host's ends of its epairs, or taps. jail: None for a jail that stays, with its processes.
    """
    own = jail is not None and bool(jail.vnet_interfaces)
    end = Step(EndProcesses(pot.name, jid), None, "nothing in it renames an interface from now on")
    # Destroying either end of an epair removes both, whatever the location and name of the other.
    wires = [Step(DestroyInterface(name, pot.owner)) for name in ends]
    # While a process runs in the jail, it may give the name of the interface to another one.
    quiet: tuple[Action, ...] = (end.action,) if own else ()
    back = [Step(TakeBack(each, pot.name), None, "the host's again", quiet) for each in lent]
    steps = (*((end,) if own else ()), *wires, *back)
    if jail is None:
        return steps
    before = tuple(step.action for step in (*wires, *back))
    return (*steps, Step(StopJail(jail), None, "nothing of the host's is in it", before))
