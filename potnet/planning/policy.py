"""Policies: which of them says what a pot may reach, and the rules that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netaddr import IPNetwork

from potnet.actions import Step
from potnet.filter_actions import LoadAnchor
from potnet.model import Bridge, BridgeKind, End, Policy, Pot
from potnet.ruleset import Identity, NoRules, Pipes, Place, PotFilter, Ruleset, Verdict
from potnet.values import dataclass

#: Where everything that is running, or up, is.
Places = Mapping[End, Sequence[Place]]


def precedence(policy: Policy) -> tuple[object, ...]:
    """Sorts policies, those that decide first: about pots, about ports, denials. No two are equal."""
    source, destination = policy.source, policy.destination
    names = (source.bridge, source.name, destination.name)
    exact = (source.bridge + destination.bridge, policy.ports is None, policy.allow)
    return *exact, *names, str(policy.protocol or ""), policy.ports or (0, 0)


def ends_of(pot: Pot) -> tuple[End, ...]:
    """The pot itself and the bridges that it is on: policies of each are about it."""
    return End(pot.name), *dict.fromkeys(End(a.bridge, bridge=True) for a in pot.attachments)


def places_of_pot(pot: Pot, bridges: Mapping[str, Bridge]) -> tuple[Place, ...]:
    """The addresses of a pot on private bridges.

    On the public one it takes those of all bridges for its neighbours', and the host sees no packet to them.
    """
    return tuple(
        Place(bridges[a.bridge].interface, IPNetwork(address))
        for a in pot.attachments
        if a.bridge in bridges and bridges[a.bridge].kind is BridgeKind.PRIVATE
        for address in a.addresses
    )


def places_of_bridge(bridge: Bridge) -> tuple[Place, ...]:
    """The networks of a private bridge."""
    return tuple(Place(bridge.interface, subnet.network) for subnet in bridge.subnets)


def pot_filter(
    pot: Pot,
    bridges: Mapping[str, Bridge],
    policies: Iterable[Policy],
    places: Places,
    inside: tuple[IPNetwork, ...],
) -> Ruleset:
    """What a running pot may reach.

    policies: those of `ends_of` it. inside: all networks of pots, where one without internet may go.
    """
    own = places_of_pot(pot, bridges)
    verdicts = tuple(
        Verdict(policy.allow, tuple(found), policy.protocol, policy.ports)
        for policy in sorted(policies, key=precedence)
        if (found := _other_bridges(own, places.get(policy.destination, ())))
    )
    pipes, identities = pipes_of(pot), identities_of(pot)
    if pot.internet and pipes is None:
        rules = PotFilter(own if verdicts else (), verdicts, identities=identities)
        return rules if rules != PotFilter() else NoRules()
    everywhere = tuple(
        Place(bridges[a.bridge].interface, IPNetwork(address))
        for a in pot.attachments
        if a.bridge in bridges
        for address in a.addresses
    )
    return PotFilter(everywhere, verdicts, () if pot.internet else inside, pipes, identities)


def identities_of(pot: Pot) -> tuple[Identity, ...]:
    """What a pot may send as, where it was started so."""
    return tuple(
        Identity(a.host_end, a.mac, a.addresses, learns=not a.addresses)
        for a in pot.attachments
        if pot.antispoof
    )


def is_filtered(pot: Pot) -> bool:
    """Whether a running pot has a filter of its own, whatever policies say."""
    return not pot.internet or pot.antispoof or pipes_of(pot) is not None


def pipes_of(pot: Pot) -> Pipes | None:
    """What limits the traffic of a pot; None when nothing does."""
    if not pot.attachments or (pot.rate_in, pot.rate_out) == (None, None):
        return None
    ends = tuple(attachment.host_end for attachment in pot.attachments)
    return Pipes(pot.attachments[0].unit, ends, pot.rate_in, pot.rate_out)


def _other_bridges(sources: Sequence[Place], places: Sequence[Place]) -> list[Place]:
    """What is reached through the host: of one bridge it sees nothing."""
    own = {place.bridge for place in sources}
    return [place for place in places if place.bridge not in own]


@dataclass(frozen=True, slots=True)
class FilterChange:
    """What becomes of the filter of a running pot as this or another pot starts or stops."""

    anchor: str
    before: Ruleset
    after: Ruleset

    @property
    def step(self) -> Step:
        there, back = LoadAnchor(self.anchor, self.after, self.before), (self.before, self.after)
        return Step(there, LoadAnchor(self.anchor, *back), "where pots may go")
