"""Check for `doctor` whether a user can have a host without root, as far as its uplink is concerned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from potnet.errors import PotnetError
from potnet.host.findings import Condition, Verdict
from potnet.rootless.uplinks.choose import KINDS, choose
from potnet.rootless.uplinks.options import AUTO, Options
from potnet.rootless.uplinks.uplink import Uplink, refusals
from potnet.rootless.uplinks.versions import ask_version


def uplinks(options: Options) -> Iterator[Condition]:
    """Yield a condition for each possible uplink, and one for the chosen uplink."""
    asked = [kind for kind in KINDS if options.uplink in (AUTO, kind.name)]
    found = {kind.name: _one(kind, options) for kind in asked if kind.version_words}
    yield from found.values()
    yield _taken(options, found)


def _one(kind: type[Uplink], options: Options) -> Condition:
    lack = kind.missing(options)
    if lack is not None:
        what, _, how = lack.partition(": ")
        if options.uplink == AUTO and not kind.package:
            return Condition(kind.name, Verdict.OK, what)
        return Condition(kind.name, Verdict.LIMITED, what, how.replace("`", ""))
    try:
        version = ask_version(kind.version_words) or "unknown version"
    except PotnetError as error:
        remedy = f"apt-get install --reinstall {kind.package}" if kind.package else "reinstall it"
        return Condition(kind.name, Verdict.LIMITED, error.message, remedy)
    refused = refusals(kind, options)
    if refused:
        found = f"{version}; {'; '.join(refused)}"
        return Condition(kind.name, Verdict.LIMITED, found, "remove that from the configuration")
    return Condition(kind.name, Verdict.OK, version)


def _taken(options: Options, found: Mapping[str, Condition]) -> Condition:
    try:
        taken = choose(options, Path("/"))
    except PotnetError as error:
        hint = error.hint or "see [rootless] in potnet.toml(5)"
        return Condition("uplink", Verdict.MISSING, error.message.partition("\n")[0], hint)
    own = found.get(taken.name)
    if own is not None and own.verdict is not Verdict.OK:
        return Condition("uplink", Verdict.MISSING, own.found, own.remedy)
    return Condition("uplink", Verdict.OK, taken.name)
