"""init: anchors in pf.conf, pf and forwarding at boot."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.actions import Action, Plan, SetBootVariable, Step
from potnet.apply import apply
from potnet.errors import PotnetError
from potnet.file_actions import CopyFile, MoveFile, RemoveFile, WriteFile
from potnet.filter_actions import CheckRules, FilterLocal, LoadRules, PrepareFilter, SwitchFilter
from potnet.host_state import FileKind, HostState, PacketFilter, Query
from potnet.operations.common import FORWARDING
from potnet.operations.unfinished import begin, end
from potnet.planning.prepare import missing_calls, skips_loopback, with_anchors, with_setting
from potnet.values import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: The command, as it is recorded, and the lock that it holds.
INIT = "init"
RULES = "/etc/pf.conf"
SYSCTL_CONF = "/etc/sysctl.conf"
LOADER_CONF = "/boot/loader.conf"

LOOPBACK_WARNING = (
    "net.pf.filter_local makes pf filter what the host sends to itself, too: under a ruleset that blocks by "
    "default, a service of the host's own may become unreachable from the host unless a rule passes it"
)


@dataclass(frozen=True, slots=True)
class InitReport:
    """done: what was changed, a line each. load_commands: what puts it in force; loaded: it was run."""

    done: tuple[str, ...]
    load_commands: tuple[str, ...]
    loaded: bool


def init(app: App, apply_now: bool, loopback: bool) -> InitReport:
    """Prepare the host, so that rules in our anchors have an effect. Twice is harmless.

    Raises PotnetError, with pf.conf untouched, when pf would not take the new one.
    """
    if not app.driver.traits.to_prepare:
        return InitReport((), (), False)
    with app.locks.hold(INIT):
        rules = _rules_file(app)
        before = _look(app, rules, loopback)
        begin(app, INIT, None, " ".join(("--apply",) * apply_now + ("--loopback",) * loopback))
        done: list[str] = []
        try:
            report = _prepare(app, rules, before, apply_now, loopback, done)
        except PotnetError as error:
            _tell_done(app, error, done, rules, before, loopback)
            raise
        end(app, INIT, None)
        return report


def _look(app: App, rules: str, loopback: bool) -> HostState:
    """What an init changes, and what it makes beside that."""
    kept = (f"{rules}.before-potnet", *map(fresh_name, (rules, SYSCTL_CONF, LOADER_CONF)))
    state = app.driver.observe(
        Query(
            texts=(rules, *((SYSCTL_CONF, LOADER_CONF) if loopback else ())),
            boot_variables=("pf_enable", "gateway_enable"),
            files=(rules, *kept),
        )
    )
    return replace(state, packet_filter=_in_force(app, loopback))


def _prepare(
    app: App, rules: str, state: HostState, apply_now: bool, loopback: bool, done: list[str]
) -> InitReport:
    done += _write_rules(app, rules, state)
    _boot_variables(app, state, done)
    if loopback:
        _prepare_loopback(app, rules, state, done)
    actions = _loading(rules, state.packet_filter, app, loopback)
    commands = tuple(line for action in actions for line in app.driver.describe(action))
    if apply_now:
        apply(Plan(tuple(Step(action) for action in actions)), app.driver)
    return InitReport(tuple(done), commands, apply_now and bool(commands))


def _tell_done(
    app: App, error: PotnetError, done: Sequence[str], rules: str, before: HostState, loopback: bool
) -> None:
    """Tell with an error what was done before it; of an init that left nothing there is nothing to finish."""
    error.message += "".join(f"\n  left behind: {line}" for line in done)
    with suppress(PotnetError):
        if _look(app, rules, loopback) == before:
            end(app, INIT, None)
            return
    error.hint = "mend what it says; `potnet init` once more, or `potnet repair`, does the rest"


def _rules_file(app: App) -> str:
    """The main ruleset's file, its links resolved so that it is replaced and not the link."""
    named = app.driver.observe(Query(boot_variables=("pf_rules",))).boot_variables.get("pf_rules", "").strip()
    path = named or RULES
    return app.driver.real_path(path) or path


def _write_rules(app: App, path: str, state: HostState) -> list[str]:
    kind = state.files[path]
    if kind not in (FileKind.FILE, FileKind.ABSENT):
        raise PotnetError(f"{path} is a {kind}, not a file", hint="look at pf_rules in rc.conf")
    old = state.texts.get(path, "")
    new = with_anchors(old, app.config)
    if new == old:
        return []
    done = f"{path}: anchors added"
    exists = path in state.texts
    keep: tuple[Step, ...] = ()
    if exists:
        backup, there = _backup_name(app, f"{path}.before-potnet", old)
        keep = () if there else (Step(CopyFile(path, backup)),)
        done += f"; the file as it was is {backup}"
    ready = Step(PrepareFilter(), None, "pfctl wants the module even to check")
    check = Step(CheckRules(fresh_name(path)), None, "nothing is put in place that pf refuses")
    _replace(app, path, new, exists, ready, check, *keep)
    return [done]


def _removal(path: str) -> RemoveFile:
    directory, _, name = path.rpartition("/")
    return RemoveFile(directory or "/", name)


def _backup_name(app: App, path: str, text: str) -> tuple[str, bool]:
    """Where a backup of this text goes, and whether it is there: from an init that was cut off."""
    candidates = (path, *(f"{path}.{number}" for number in range(1, 10)))
    kinds = app.driver.observe(Query(files=candidates)).files
    for candidate in candidates:
        if kinds[candidate] is FileKind.ABSENT:
            return candidate, False
        if app.driver.observe(Query(texts=(candidate,))).texts.get(candidate) == text:
            return candidate, True
    raise PotnetError(f"there are ten backups beside {path} already", hint="remove those you do not need")


def _boot_variables(app: App, state: HostState, done: list[str]) -> None:
    for name in ("pf_enable", "gateway_enable"):
        if state.boot_variables.get(name, "").strip().upper() not in ("YES", "TRUE", "ON", "1"):
            apply(Plan((Step(SetBootVariable(name, "YES")),)), app.driver)
            done.append(f"{name}=YES in rc.conf")
            if name == "gateway_enable":
                # From now on the host itself wants it, so that no stop switches it off.
                app.store.forget(FORWARDING[4])


def _prepare_loopback(app: App, rules: str, state: HostState, done: list[str]) -> None:
    app.notify(LOOPBACK_WARNING)
    if skips_loopback(state.texts.get(rules, "")):
        app.notify(f"{rules} has `set skip on lo0`, which keeps pf from redirecting there: take it out")
    # rc(8) reads sysctl.conf before it loads pf's module, whose variable is not there until then.
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
    """Put a new file in the place of one, whose mode and owner it takes over, in one rename."""
    fresh = fresh_name(path)
    # The copy gives the new file its mode and owner.
    copy = (Step(CopyFile(path, fresh), _removal(fresh)),) if exists else ()
    write = Step(WriteFile(fresh, text), _removal(fresh))
    apply(Plan((*copy, write, *checks, Step(MoveFile(fresh, path)))), app.driver)


def fresh_name(path: str) -> str:
    """Where a new file is written before it takes the place of the old one."""
    return f"{path}.potnet-new"


def _in_force(app: App, loopback: bool) -> PacketFilter:
    """What pf does now; nothing, where its module is not even loaded."""
    try:
        return app.driver.observe(Query(packet_filter=True, filter_local=loopback)).packet_filter
    except PotnetError:
        return PacketFilter()


def _loading(path: str, found: PacketFilter, app: App, loopback: bool) -> tuple[Action, ...]:
    """What puts the prepared in force, in order; empty when it is."""
    actions: list[Action] = [] if found.enabled else [PrepareFilter()]
    if missing_calls(found, app.config):
        actions.append(LoadRules(path))
    if loopback and not found.filter_local:
        # It counts only from the next time that pf is switched on.
        off = [SwitchFilter(False)] if found.enabled else []
        return (*actions, FilterLocal(), *off, SwitchFilter(True))
    if not found.enabled:
        actions.append(SwitchFilter(True))
    return tuple(actions)
