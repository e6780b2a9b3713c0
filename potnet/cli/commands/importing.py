"""`potnet import`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from potnet.cli.known_names import many_pots
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import emit
from potnet.cli.views import exports_text

if TYPE_CHECKING:
    from potnet.operations.from_pot.importing import Imported, Result


@click.command("import", cls=Command, examples=("potnet import pot web --dry-run", "potnet import pot --all"))
@click.argument("source", type=click.Choice(["pot"]))
@many_pots("Pot of pot to import; repeatable.", kind=click.STRING)
@click.option("--all", "all_", is_flag=True, help="Import every pot and every bridge.")
@click.pass_obj
def import_(options: Options, source: str, pots: tuple[str, ...], all_: bool) -> None:
    """Import pots and bridges of pot into the store.

    The roots stay in place. If one pot cannot be imported, none is. -n shows the result and imports nothing.
    """
    if bool(pots) == all_:
        raise click.UsageError("give either pots or --all")
    from potnet.operations.from_pot import importing as operation

    with changing(options) as app:
        result = operation.import_pots(app, None if all_ else pots)
    if options.json or not options.quiet:
        emit(options, _view(result), _text)


def _view(result: Result) -> dict[str, Any]:
    return {
        "bridges": [
            {
                "name": bridge.name,
                "changed": changed,
                "network": str(bridge.network),
                "gateway": str(bridge.gateway),
            }
            for bridge, changed in result.bridges
        ],
        "pots": [_pot_view(each) for each in result.pots],
        "skipped": [{"name": name, "reason": reason} for name, reason in result.skipped],
    }


def _pot_view(imported: Imported) -> dict[str, Any]:
    pot = imported.pot
    addresses = [str(address) for address in pot.leased]
    addresses += [f"{alias.interface}|{alias.address}" for alias in pot.aliases]
    return {
        "name": pot.name,
        "changed": imported.changed,
        "network_type": str(pot.network_type),
        "stack": str(pot.stack),
        "addresses": addresses,
        "bridge": next(iter(pot.bridges), None),
        "exports": [
            {
                "protocol": str(e.protocol),
                "pot_port": e.pot_port,
                "host_port": e.host_port,
                "loopback": e.loopback,
            }
            for e in pot.exports
        ],
        "root": pot.root,
        "running": imported.running or None,
        "left": list(imported.left),
    }


def _text(view: dict[str, Any]) -> str:
    return "\n".join(_lines(view))


def _lines(view: dict[str, Any]) -> Iterator[str]:
    for bridge in view["bridges"]:
        done = "imported" if bridge["changed"] else "is already imported"
        yield f"bridge {bridge['name']} {done}: {bridge['network']}, gateway {bridge['gateway']}"
    for pot in view["pots"]:
        if not pot["changed"]:
            yield f"{pot['name']} is already imported"
            continue
        bridge = f" on {pot['bridge']}" if pot["network_type"] == "private-bridge" else ""
        parts = [f"{pot['network_type']}{bridge}", pot["stack"], *pot["addresses"]]
        if pot["exports"]:
            loopback = " on the loopback too" if any(e["loopback"] for e in pot["exports"]) else ""
            parts.append(f"exports {exports_text(pot)}{loopback}")
        yield f"{pot['name']} imported: {', '.join(parts)}"
        if pot["running"]:
            yield f"\t{pot['running']}"
        for line in pot["left"]:
            yield f"\tnot imported: {line}"
    for each in view["skipped"]:
        yield f"{each['name']} not imported: {each['reason']}"
