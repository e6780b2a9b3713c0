"""Policies in the store: permitted and denied connections between pots and bridges."""

from __future__ import annotations

from potnet.errors import PotnetError
from potnet.model.ports import Transport
from potnet.model.pots import End, Policy
from potnet.store.file.database import Database, Row

_POLICIES = (
    "SELECT source, source_bridge, destination, destination_bridge, allow, protocol, first_port, last_port"
    " FROM policy"
)
_FROM = "source = ? AND source_bridge = ?"
_TOWARDS = "destination = ? AND destination_bridge = ?"
_SAME = f"{_FROM} AND {_TOWARDS} AND protocol = ? AND first_port = ? AND last_port = ?"
_GONE = "DELETE FROM policy"


class Policies(Database):
    """Policies in the store; at most one exists for the same sides, protocol and ports."""

    def policies(self) -> tuple[Policy, ...]:
        """Return all policies, sorted by their sides."""
        order = "source, source_bridge, destination, destination_bridge, protocol, first_port, last_port"
        return tuple(_policy(row) for row in self.rows(f"{_POLICIES} ORDER BY {order}"))

    def has_policies(self) -> bool:
        """Whether any policy exists."""
        return self.row("SELECT 1 FROM policy LIMIT 1") is not None

    def policies_of(self, *ends: End) -> tuple[Policy, ...]:
        """Return the policies whose source is one of these sides."""
        return self._where(_FROM, ends)

    def policies_towards(self, *ends: End) -> tuple[Policy, ...]:
        """Return the policies whose destination is one of these sides."""
        return self._where(_TOWARDS, ends)

    def _where(self, condition: str, ends: tuple[End, ...]) -> tuple[Policy, ...]:
        found = (
            self.rows(f"{_POLICIES} WHERE {condition}", end.name, end.bridge) for end in dict.fromkeys(ends)
        )
        return tuple(_policy(row) for rows in found for row in rows)

    def permitting(self) -> frozenset[str]:
        """Return the bridges between which a policy allows something."""
        found = self.rows(
            "SELECT CASE WHEN source_bridge THEN source ELSE s.bridge END AS one,"
            " CASE WHEN destination_bridge THEN destination ELSE d.bridge END AS other FROM policy"
            " LEFT JOIN attachment s ON s.pot = source AND NOT source_bridge"
            " LEFT JOIN attachment d ON d.pot = destination AND NOT destination_bridge"
            " WHERE allow AND one <> other"
        )
        return frozenset(name for pair in found for name in pair)

    def add_policy(self, policy: Policy) -> bool:
        """Add a policy; return whether it is new. Error: an existing policy states the opposite."""
        with self.transaction():
            found = self.row(f"{_POLICIES} WHERE {_SAME}", *_key(policy))
            if found is None:
                self.change(
                    "INSERT INTO policy (source, source_bridge, destination, destination_bridge, protocol,"
                    " first_port, last_port, allow) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    *_key(policy),
                    policy.allow,
                )
            elif _policy(found) != policy:
                raise PotnetError(
                    f"a policy says the opposite: {'deny' if policy.allow else 'allow'}",
                    hint="remove that one first: `potnet policy remove` with the same sides and port",
                )
            return found is None

    def remove_policy(self, policy: Policy) -> bool:
        """Remove the policy, allow or deny, of these sides, protocol and ports; return whether it existed."""
        with self.transaction():
            return self.change(f"{_GONE} WHERE {_SAME}", *_key(policy)) > 0

    def remove_policies(self, end: End) -> None:
        """Delete all policies of a side, as source or destination."""
        with self.transaction():
            for condition in (_FROM, _TOWARDS):
                self.change(f"{_GONE} WHERE {condition}", end.name, end.bridge)


def _key(policy: Policy) -> tuple[object, ...]:
    source, destination = policy.source, policy.destination
    return (
        source.name, source.bridge, destination.name, destination.bridge,
        str(policy.protocol or ""), *(policy.ports or (0, 0)),
    )  # fmt: skip


def _policy(row: Row) -> Policy:
    source, of_bridge, destination, to_bridge, allow, protocol, first, last = row
    return Policy(
        End(source, bool(of_bridge)),
        End(destination, bool(to_bridge)),
        bool(allow),
        Transport(protocol) if protocol else None,
        (first, last) if first else None,
    )
