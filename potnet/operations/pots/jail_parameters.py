"""The parameters of jail(8) that users set for pots: checked against the pot and the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.jail_parameters import DEVFS_RULESET, is_of_kernel, needs_network, parse, positive, split
from potnet.model.pots import Pot
from potnet.planning.jail import rulesets_of
from potnet.planning.start import refuse_open_devfs

if TYPE_CHECKING:
    from potnet.app import App


def with_parameters(app: App, pot: Pot, given: Sequence[str], removed: Sequence[str] = ()) -> Pot:
    """Return the pot with these parameters beside its others, and without the removed ones.

    Raises PotnetError for a parameter that cannot be given, or that this host does not know.
    """
    if not given and not removed:
        return pot
    if not app.driver.traits.jail_parameters:
        raise PotnetError("--param cannot be used on this host: pots do not use jail(8)", hint="omit it")
    changed = {_key(text): text for text in map(parse, given)}
    if len(changed) < len(given):
        _refuse_twice(given)
    gone = {_key(text) for text in removed}
    both = gone & changed.keys()
    if both:
        raise UsageError(f"--param and --no-param are given for {min(both)}", hint="give one of the two")
    kept = {_key(text): text for text in pot.parameters if _key(text) not in gone}
    pot = replace(pot, parameters=tuple((kept | changed).values()))
    _check_network(pot)
    _check_host(app, pot, tuple(changed.values()))
    return pot


def _key(text: str) -> str:
    """Return what two parameters share if they cannot stand beside each other."""
    return positive(split(text)[0])


def _refuse_twice(given: Sequence[str]) -> None:
    names = [_key(text) for text in given]
    twice = next(name for name in names if names.count(name) > 1)
    raise UsageError(f"--param gives {twice} twice", hint="give each parameter once")


def _check_network(pot: Pot) -> None:
    useless = needs_network(pot.parameters)
    if useless is not None and not pot.network_type.bridged:
        raise UsageError(
            f"--param {useless} requires a bridge: -N {pot.network_type} shares the host's network",
            hint="use -N public-bridge or -N private-bridge",
        )


def _check_host(app: App, pot: Pot, changed: Sequence[str]) -> None:
    """Raises PotnetError for parameters that the kernel does not know, and for an open devfs ruleset."""
    own = any(_key(text) == DEVFS_RULESET for text in changed)
    rulesets = rulesets_of(pot, devfs=True) if own else ()
    state = app.driver.observe(Query(known_parameters=bool(changed), rulesets=rulesets))
    known, listing = state.known_parameters, state.traits.tools.list_parameters
    for text in filter(is_of_kernel, changed):
        if known and _key(text) not in known:
            raise PotnetError(
                f"this host does not know the jail parameter {_key(text)}",
                hint=f"`{listing}` lists those it knows; kernel modules add others",
            )
    refuse_open_devfs(rulesets, state)
