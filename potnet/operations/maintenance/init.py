"""init: anchors in pf.conf, pf and forwarding at boot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import apply
from potnet.errors import PotnetError, UsageError
from potnet.host.actions import Action, Plan, SetBootVariable, Step
from potnet.host.file_actions import CopyFile, MoveFile, RemoveFile, WriteFile
from potnet.host.filter_actions import CheckRules, FilterLocal, LoadRules, PrepareFilter, SwitchFilter
from potnet.host.query import Query
from potnet.host.ruleset import MainText
from potnet.host.state import FileKind, HostState, PacketFilter
from potnet.operations.common import FORWARDING, check_characters
from potnet.operations.files.places import refuse_replaceable
from potnet.operations.journal import begin, end
from potnet.planning.filter import pf_conf as reading
from potnet.planning.filter.prepare import (
    added_anchors,
    anchor_calls,
    missing_calls,
    skips_loopback,
    with_setting,
)
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

_REFUSED_HINT = "name the file of the rules in force: `potnet init --pf-conf FILE`"
#: Number of lines of a difference that are shown.
_SHOWN = 8
#: The name of the command, as recorded, and of the lock that it holds.
INIT = "init"
RULES = "/etc/pf.conf"
SYSCTL_CONF = "/etc/sysctl.conf"
LOADER_CONF = "/boot/loader.conf"

LOOPBACK_WARNING = (
    "net.pf.filter_local makes pf filter local packets too. Under a ruleset that blocks by default, the "
    "host may lose access to its own services"
)


@dataclass(frozen=True, slots=True)
class InitReport:
    """done: the changes, a line each. load_commands: commands that load them; loaded: these were run.

    differences: how the rules in force differ from those of the file; if any, the file must not be loaded.
    """

    done: tuple[str, ...]
    load_commands: tuple[str, ...]
    loaded: bool
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The request for an init. rules: the file of the main ruleset; flags: its flags for pfctl(8).

    named: the file as the user gave it; None: the file that the host loads at boot.
    """

    rules: str
    flags: tuple[str, ...]
    apply_now: bool
    loopback: bool
    named: str | None = None

    @property
    def text(self) -> str:
        """Return the request as text, for the record of an init that was cut off."""
        words = []
        if self.apply_now:
            words.append("--apply")
        if self.loopback:
            words.append("--loopback")
        if self.named:
            words += ["--pf-conf", self.named]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Found:
    """The host before an init. files: the main ruleset and its includes, by path.

    differences: between the rules in force and those of the file, a line each.
    """

    state: HostState
    files: Mapping[str, str]
    differences: tuple[str, ...]


def init(app: App, apply_now: bool, loopback: bool, pf_conf: str | None = None) -> InitReport:
    """Prepare the host, so that rules in potnet's anchors take effect. Running it again is harmless.

    pf_conf: the file of the main ruleset, if it is not the one that rc.conf(5) names. Raises PotnetError,
    with nothing changed, if pf would reject the new file, or if rules are in force that the file does not
    have.
    """
    if not app.driver.traits.to_prepare:
        return InitReport((), (), False)
    with app.locks.hold(INIT):
        wanted = _wanted(app, apply_now, loopback, pf_conf)
        state = _look(app, wanted)
        files = rules_files(app, wanted.rules, state.texts)
        found = Found(state, files, _differences(app, wanted, state.packet_filter, files))
        if found.differences and apply_now:
            raise PotnetError(_refusal(wanted.rules, found.differences), hint=_REFUSED_HINT)
        begin(app, INIT, None, wanted.text)
        done: list[str] = []
        try:
            report = _prepare(app, wanted, found, done)
        except PotnetError as error:
            _report_done(app, error, done, wanted, state)
            raise
        end(app, INIT, None)
        return report


def _wanted(app: App, apply_now: bool, loopback: bool, named: str | None) -> Wanted:
    """Find the file of the main ruleset and resolve its links, so that the file is replaced, not the link."""
    check_characters("--pf-conf", named or "")
    if named is not None and not named.startswith("/"):
        raise UsageError(f"invalid --pf-conf {named!r}: it must be an absolute path")
    variables = app.driver.observe(Query(boot_variables=("pf_rules", "pf_flags"))).boot_variables
    path = named or variables.get("pf_rules", "") or RULES
    refuse_replaceable(app, f"the main ruleset {path}", path)
    # rc(8) splits the flags at blanks and does not interpret quotation marks.
    flags = tuple(variables.get("pf_flags", "").split())
    return Wanted(app.driver.real_path(path) or path, flags, apply_now, loopback, named)


def _look(app: App, wanted: Wanted) -> HostState:
    """Observe the state that an init changes or depends on."""
    rules = wanted.rules
    kept = (f"{rules}.before-potnet", *map(fresh_name, (rules, SYSCTL_CONF, LOADER_CONF)))
    state = app.driver.observe(
        Query(
            texts=(rules, *((SYSCTL_CONF, LOADER_CONF) if wanted.loopback else ())),
            boot_variables=("pf_enable", "gateway_enable", "pf_rules"),
            files=(rules, *kept),
        )
    )
    return replace(state, packet_filter=_in_force(app, wanted.loopback))


def _differences(app: App, wanted: Wanted, found: PacketFilter, files: Mapping[str, str]) -> tuple[str, ...]:
    """Return the differences between the rules in force and the present file, if the host would load it."""
    if not (missing_calls(found, app.config) and (found.enabled or found.translation or found.filters)):
        return ()
    calls = anchor_calls(app.config)
    text = MainText(
        text=reading.without(wanted.rules, files, calls),
        flags=wanted.flags,
        calls=calls,
        names=tuple(sorted(reading.names_of(wanted.rules, files))),
        loads=tuple(reading.loaded(wanted.rules, files).items()),
    )
    drift = app.driver.observe(Query(main_text=text)).main_drift
    if drift.refused:
        raise PotnetError(
            f"pf refuses {wanted.rules}, and runs other rules: {drift.refused}",
            hint=f"`pfctl -nf {wanted.rules}` shows the lines; {_REFUSED_HINT}",
        )
    lines = [f"only in force: {line}" for line in drift.lost]
    lines += [f"only in the file: {line}" for line in drift.gained]
    if drift.reordered and not lines:
        lines = ["the rules are in another order"]
    return tuple(lines)


def _refusal(rules: str, differences: Sequence[str]) -> str:
    shown = [*differences[:_SHOWN]]
    if len(differences) > _SHOWN:
        shown.append(f"and {len(differences) - _SHOWN} lines more")
    head = f"pf runs other rules than those of {rules}, and loading the file would replace them"
    return "\n".join([head, *(f"  {line}" for line in shown)])


def _prepare(app: App, wanted: Wanted, found: Found, done: list[str]) -> InitReport:
    """Apply the changes of an init; add a line to `done` for each change."""
    state, differences = found.state, found.differences
    done += _write_rules(app, wanted, state, found.files)
    _boot_variables(app, wanted, state, done)
    if wanted.loopback:
        _prepare_loopback(app, wanted.rules, state, done)
    actions = _loading(wanted, state.packet_filter, app, bool(differences))
    commands = tuple(line for action in actions for line in app.driver.describe(action))
    if differences:
        app.notify(_refusal(wanted.rules, differences))
        commands = ("potnet init --apply --pf-conf FILE",)
    if wanted.apply_now:
        apply(Plan(tuple(Step(action) for action in actions)), app.driver)
    return InitReport(tuple(done), commands, wanted.apply_now and bool(commands), differences)


def _report_done(
    app: App, error: PotnetError, done: Sequence[str], wanted: Wanted, before: HostState
) -> None:
    """Add the completed changes to an error; an init that changed nothing needs no second run."""
    error.message += "".join(f"\n  left behind: {line}" for line in done)
    with suppress(PotnetError):
        if _look(app, wanted) == before:
            end(app, INIT, None)
            return
    error.hint = "remove the cause, then run `potnet init` again"


def rules_files(app: App, path: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of the main ruleset's file and of all files that it includes, by path."""
    found = {path: texts.get(path, "")}
    todo = list(reading.files_of(found[path]))
    while todo:
        missing = tuple(each for each in todo if each not in found)
        more = app.driver.observe(Query(texts=missing)).texts if missing else {}
        found |= {each: more.get(each, "") for each in missing}
        todo = [each for name in missing for each in reading.files_of(found[name])]
    return found


def _write_rules(app: App, wanted: Wanted, state: HostState, files: Mapping[str, str]) -> list[str]:
    kind = state.files[wanted.rules]
    if kind not in (FileKind.FILE, FileKind.ABSENT):
        raise PotnetError(f"{wanted.rules} is a {kind}, not a file", hint="check pf_rules in rc.conf")
    path, new = added_anchors(wanted.rules, files, app.config)
    old = files[path]
    if new == old:
        return []
    done = f"{path}: anchors added"
    exists = path != wanted.rules or path in state.texts
    keep: tuple[Step, ...] = ()
    if exists:
        backup, there = _backup_name(app, f"{path}.before-potnet", old)
        keep = () if there else (Step(CopyFile(path, backup)),)
        done += f"; the file as it was is {backup}"
    checks = [Step(PrepareFilter(), None, "pfctl wants the module even to check")]
    trial = fresh_name(path)
    if path != wanted.rules:
        # pfctl checks the rules as a whole, with the new file in place of the included one.
        trial = fresh_name(wanted.rules)
        whole = reading.including(wanted.rules, {**files, path: new})
        checks.append(Step(WriteFile(trial, whole), _removal(trial)))
    checks.append(Step(CheckRules(trial, wanted.flags), None, "nothing is put in place that pf refuses"))
    _replace(app, path, new, exists, *checks, *keep)
    if path != wanted.rules:
        apply(Plan((Step(_removal(trial)),)), app.driver)
    return [done]


def _removal(path: str) -> RemoveFile:
    directory, _, name = path.rpartition("/")
    return RemoveFile(directory or "/", name)


def _backup_name(app: App, path: str, text: str) -> tuple[str, bool]:
    """Return the name of a backup of this text, and whether an earlier init that was cut off left it."""
    candidates = (path, *(f"{path}.{number}" for number in range(1, 10)))
    kinds = app.driver.observe(Query(files=candidates)).files
    for candidate in candidates:
        if kinds[candidate] is FileKind.ABSENT:
            return candidate, False
        if app.driver.observe(Query(texts=(candidate,))).texts.get(candidate) == text:
            return candidate, True
    raise PotnetError(f"ten backups of {path} already exist", hint="move them to another directory")


def _boot_variables(app: App, wanted: Wanted, state: HostState, done: list[str]) -> None:
    values = {"pf_enable": "YES", "gateway_enable": "YES"}
    if wanted.named is not None:
        values["pf_rules"] = wanted.named
    for name, value in values.items():
        found = state.boot_variables.get(name, "").strip()
        if found == value or (value == "YES" and found.upper() in ("YES", "TRUE", "ON", "1")):
            continue
        # A file in rc.conf.d wins over rc.conf.
        setting = app.driver.observe(Query(boot_files=(name,))).boot_files.get(name, "")
        file = setting if "/rc.conf.d/" in setting else None
        apply(Plan((Step(SetBootVariable(name, value, file)),)), app.driver)
        done.append(f"{name}={value} in {file or 'rc.conf'}")
        if name == "gateway_enable":
            # The host itself wants forwarding from now on, so no stop switches it off.
            app.store.forget(FORWARDING[4])


def _prepare_loopback(app: App, rules: str, state: HostState, done: list[str]) -> None:
    app.notify(LOOPBACK_WARNING)
    if skips_loopback(state.texts.get(rules, "")):
        app.notify(f"{rules} has `set skip on lo0`, which keeps pf from redirecting there: take it out")
    elif {"lo0", "lo", "all"} & state.packet_filter.skipped:
        app.notify("pf skips lo0 (set skip), which keeps it from redirecting there")
    # rc(8) reads sysctl.conf before it loads pf's module, and the module provides the variable.
    settings = (
        (SYSCTL_CONF, "net.pf.filter_local", "1"),
        (LOADER_CONF, "pf_load", "YES"),
    )
    for setting in settings:
        done += _write_setting(app, *setting, state)


def _write_setting(app: App, path: str, name: str, value: str, state: HostState) -> list[str]:
    old = state.texts.get(path, "")
    new = with_setting(old, name, value)
    if new == old:
        return []
    _replace(app, path, new, exists=path in state.texts)
    return [f"{path}: {name}={value}"]


def _replace(app: App, path: str, text: str, exists: bool, *checks: Step) -> None:
    """Replace a file by one rename; the new file keeps the old mode and owner."""
    fresh = fresh_name(path)
    # The copy gives the new file its mode and owner.
    copy = (Step(CopyFile(path, fresh), _removal(fresh)),) if exists else ()
    write = Step(WriteFile(fresh, text), _removal(fresh))
    apply(Plan((*copy, write, *checks, Step(MoveFile(fresh, path)))), app.driver)


def fresh_name(path: str) -> str:
    """Return the path at which a new file is written before it replaces the old one."""
    return f"{path}.potnet-new"


def _in_force(app: App, loopback: bool) -> PacketFilter:
    """Return the state of pf now; empty if its module is not loaded."""
    try:
        return app.driver.observe(Query(packet_filter=True, filter_local=loopback)).packet_filter
    except PotnetError:
        return PacketFilter()


def _loading(wanted: Wanted, found: PacketFilter, app: App, differs: bool) -> tuple[Action, ...]:
    """Return the commands that load the prepared state, in order; empty if it is in force.

    differs: other rules are in force, so potnet neither loads the file nor enables pf.
    """
    actions: list[Action] = [] if found.enabled else [PrepareFilter()]
    if missing_calls(found, app.config):
        actions.append(LoadRules(wanted.rules, wanted.flags))
    if differs:
        actions.clear()
    elif wanted.loopback and not found.filter_local:
        # The setting takes effect only the next time that pf is enabled.
        off = [SwitchFilter(False)] if found.enabled else []
        return (*actions, FilterLocal(), *off, SwitchFilter(True))
    elif not found.enabled:
        actions.append(SwitchFilter(True))
    return tuple(actions)
