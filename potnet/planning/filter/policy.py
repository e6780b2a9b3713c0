"""Policies: the decision where a pot may connect to, and the rules that result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netaddr import IPNetwork

from potnet.host.actions import Step
from potnet.host.filter_actions import LoadAnchor
from potnet.host.ruleset import Identity, NoRules, Pipes, Place, PotFilter, Ruleset, Verdict
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import Attachment, End, Policy, Pot
from potnet.runtime.fast_dataclass import dataclass

#: The places of every pot that runs, and of every bridge that is up.
Places = Mapping[End, Sequence[Place]]


def precedence(policy: Policy) -> tuple[object, ...]:
    """Sort key for policies; first come those about pots, about ports, and denials. No two are equal."""
    source, destination = policy.source, policy.destination
    names = (source.bridge, source.name, destination.name)
    exact = (source.bridge + destination.bridge, policy.ports is None, policy.allow)
    return *exact, *names, str(policy.protocol or ""), policy.ports or (0, 0)


def ends_of(pot: Pot) -> tuple[End, ...]:
    """Return the sides that a pot belongs to: the pot itself and its bridges."""
    return End(pot.name), *dict.fromkeys(End(a.bridge, bridge=True) for a in pot.attachments)


def places_of_pot(pot: Pot, bridges: Mapping[str, Bridge]) -> tuple[Place, ...]:
    """Return the addresses of a pot on bridges."""
    return tuple(
        Place(bridges[a.bridge].interface, IPNetwork(address), _is_public(bridges[a.bridge]))
        for a in pot.attachments
        if a.bridge in bridges
        for address in a.addresses
    )


def places_of_bridge(bridge: Bridge) -> tuple[Place, ...]:
    """Return the networks of a bridge."""
    return tuple(Place(bridge.interface, subnet.network, _is_public(bridge)) for subnet in bridge.networks)


def _is_public(bridge: Bridge) -> bool:
    return bridge.kind is not BridgeKind.PRIVATE


def pot_filter(
    pot: Pot,
    bridges: Mapping[str, Bridge],
    policies: Iterable[Policy],
    places: Places,
    inside: tuple[IPNetwork, ...],
) -> Ruleset:
    """Return the filter of a running pot.

    policies: those of its `ends_of`. inside: all networks of pots, which a pot without internet can reach.
    """
    everywhere = places_of_pot(pot, bridges)
    own = tuple(place for place in everywhere if not place.public)
    ruling = [(each, places.get(each.destination, ())) for each in sorted(policies, key=precedence)]
    verdicts = _verdicts((policy, _other_bridges(own, found)) for policy, found in ruling)
    pipes, identities = pipes_of(pot), identities_of(pot, bridges, ruling)
    if pot.internet and pipes is None:
        rules = PotFilter(own if verdicts else (), verdicts, identities=identities)
        return rules if rules != PotFilter() else NoRules()
    return PotFilter(everywhere, verdicts, () if pot.internet else inside, pipes, identities)


def _verdicts(ruling: Iterable[tuple[Policy, Iterable[Place]]]) -> tuple[Verdict, ...]:
    """Return the decisions of policies for each place that exists."""
    found = ((policy, tuple(places)) for policy, places in ruling)
    return tuple(Verdict(each.allow, places, each.protocol, each.ports) for each, places in found if places)


def identities_of(
    pot: Pot, bridges: Mapping[str, Bridge], ruling: Sequence[tuple[Policy, Sequence[Place]]]
) -> tuple[Identity, ...]:
    """Return a pot's permitted source addresses and peers on its own bridges, if it has antispoof."""
    known = [(a, bridges[a.bridge]) for a in pot.attachments if a.bridge in bridges and pot.antispoof]
    return tuple(
        Identity(
            own.host_end,
            own.mac,
            own.addresses,
            own.slaac,
            tuple(each.gateway for each in bridge.networks if each.gateway is not None),
            _near(own, bridge, ruling),
            own.dhcp,
        )
        for own, bridge in known
    )


def _near(
    own: Attachment, bridge: Bridge, ruling: Sequence[tuple[Policy, Sequence[Place]]]
) -> tuple[Verdict, ...]:
    """Return the decisions about others on a bridge, in order; empty if no policy denies anything."""
    mine = {IPNetwork(address) for address in own.addresses}
    families = {network.version for network in mine}

    def is_other(place: Place) -> bool:
        network = place.network
        return place.bridge == bridge.interface and network not in mine and network.version in families

    verdicts = _verdicts((policy, filter(is_other, found)) for policy, found in ruling)
    return verdicts if any(not each.allow for each in verdicts) else ()


def is_filtered(pot: Pot) -> bool:
    """Whether a running pot has a filter even without policies."""
    return not pot.internet or pot.antispoof or pipes_of(pot) is not None


def pipes_of(pot: Pot) -> Pipes | None:
    """Return the traffic limits of a pot; None if it has none."""
    if not pot.attachments or (pot.rate_in, pot.rate_out) == (None, None):
        return None
    ends = tuple(attachment.host_end for attachment in pot.attachments)
    return Pipes(pot.attachments[0].unit, ends, pot.rate_in, pot.rate_out)


def _other_bridges(sources: Sequence[Place], places: Sequence[Place]) -> list[Place]:
    """Return the private bridges that a pot of a private bridge reaches through the host."""
    own = {place.bridge for place in sources}
    return [place for place in places if place.bridge not in own and not place.public] if own else []


def policy_text(policy: Policy) -> str:
    """Return a policy as one line."""
    ports = f" {policy_ports(policy)}" if policy.ports else ""
    return f"{'allow' if policy.allow else 'deny'} {policy.source.name} to {policy.destination.name}{ports}"


def policy_ports(policy: Policy) -> str:
    """Return its ports as `add` takes them; empty for all."""
    return f"{policy.protocol}:{'-'.join(map(str, dict.fromkeys(policy.ports)))}" if policy.ports else ""


@dataclass(frozen=True, slots=True)
class FilterChange:
    """The change to a running pot's filter when this or another pot starts or stops."""

    anchor: str
    before: Ruleset
    after: Ruleset

    @property
    def step(self) -> Step:
        there, back = LoadAnchor(self.anchor, self.after, self.before), (self.before, self.after)
        return Step(there, LoadAnchor(self.anchor, *back), "where pots may go")
