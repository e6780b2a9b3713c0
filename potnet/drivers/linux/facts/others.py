"""Read nftables tables of other programs that decide about forwarded packets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from potnet.drivers.reading import reads
from potnet.host.ruleset import ForwardChain
from potnet.model.pots import GROUP

#: Runs a command that only reads; None if the command fails.
Run = Callable[..., str | None]


def dropping(run: Run) -> tuple[ForwardChain, ...]:
    """Return the chains that drop what they do not accept, including those of iptables (iptables-nft)."""
    return tuple(
        ForwardChain(f"{family} {table} {name}", run("nft", "list", "table", family, table) or "")
        for family, table, name in _chains(run("nft", "-j", "list", "chains") or "")
    )


@reads("nft")
def _chains(text: str) -> list[tuple[str, str, str]]:
    """Return family, table and name of each chain at the hook forward with policy drop
    (libnftables-json(5))."""
    entries: Iterable[dict[str, dict[str, str]]] = json.loads(text)["nftables"] if text else ()
    chains = [entry["chain"] for entry in entries if "chain" in entry]
    return [
        (chain["family"], chain["table"], chain["name"])
        for chain in chains
        if (chain.get("hook"), chain.get("policy")) == ("forward", "drop")
        and chain["family"] in ("ip", "ip6", "inet")
        and chain["table"] != GROUP
    ]
