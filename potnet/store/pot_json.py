"""Pots as JSON: the form in which a run stores the pot that it started."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from dataclasses import fields as fields_of
from typing import Any

from netaddr import IPAddress, IPNetwork

from potnet.model.ports import Export, Transport
from potnet.model.pots import Alias, Attachment, HookKind, NetworkType, Pot, Resolver, ResolverKind, Stack

_EXPORT = tuple(each.name for each in fields_of(Export))


def pot_to_json(pot: Pot) -> str:
    """Return a JSON object with the pot's fields; addresses are strings."""
    fields = asdict(replace(pot, exports=())) | {"exports": list(map(_fields, pot.exports))}
    return json.dumps(fields, default=str, sort_keys=True)


def pot_from_json(text: str) -> Pot:
    """The reverse of `pot_to_json`. Errors: ValueError, KeyError or TypeError for any other text."""
    fields: dict[str, Any] = json.loads(text)
    fields["network_type"] = NetworkType(fields["network_type"])
    fields["stack"] = Stack(fields["stack"])
    resolver = fields["resolver"]
    fields["resolver"] = Resolver(ResolverKind(resolver["kind"]), resolver["text"])
    fields["command"] = tuple(fields["command"])
    fields["attachments"] = tuple(_attachment(item) for item in fields["attachments"])
    fields["aliases"] = tuple(
        Alias(item["interface"], IPAddress(item["address"])) for item in fields["aliases"]
    )
    fields["exports"] = tuple(_export(item) for item in fields["exports"])
    fields["hooks"] = tuple(HookKind(hook) for hook in fields["hooks"])
    # Older versions had neither passed interfaces nor parameters of jails, and other rules for exports.
    fields["passed"] = tuple(fields.get("passed", ()))
    fields["needs"] = tuple(fields.get("needs", ()))
    fields["parameters"] = tuple(fields.get("parameters", ()))
    fields.setdefault("guards_shared", True)
    return Pot(**fields)


def objects(text: str) -> list[dict[str, Any]]:
    """Parse a JSON array of objects. Errors: ValueError for any other text."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"{text[:200]!r} is not a list of objects")
    return found


def strings(text: str) -> tuple[str, ...]:
    """Parse a JSON array of strings. Errors: ValueError for any other text."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{text[:200]!r} is not a list of words")
    return tuple(found)


def exports_to_json(exports: Iterable[Export]) -> str:
    """Return exports as a JSON array."""
    return json.dumps(list(map(_fields, exports)), default=str)


def exports_from_json(text: str) -> tuple[Export, ...]:
    """The reverse of `exports_to_json`."""
    return tuple(map(_export, objects(text)))


def address_or_none(text: str | None) -> IPAddress | None:
    """Return an address from a column or field."""
    return None if text is None else IPAddress(text)


def network_or_none(text: str | None) -> IPNetwork | None:
    """Return a network from a column."""
    return None if text is None else IPNetwork(text)


def text_or_none(value: object | None) -> str | None:
    """Return the text of an address or network, for a column."""
    return None if value is None else str(value)


def _attachment(fields: dict[str, Any]) -> Attachment:
    # Version 1 of the store had a single address.
    found = {name: address_or_none(fields.get(name)) for name in ("address", "address6")}
    return Attachment(**fields | found)


def _fields(export: Export) -> dict[str, Any]:
    # asdict() copies each value recursively, which takes ten times as long.
    return {name: getattr(export, name) for name in _EXPORT}


def _export(fields: dict[str, Any]) -> Export:
    # Version 1 of the store had neither addresses nor sources.
    found = {"host_address": address_or_none(fields.get("host_address"))}
    sources = tuple(map(IPNetwork, fields.get("sources", ())))
    return Export(**fields | found | {"protocol": Transport(fields["protocol"]), "sources": sources})
