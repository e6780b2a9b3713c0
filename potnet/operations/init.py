"""init: anchors in pf.conf, pf and forwarding at boot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from potnet.actions import (
    Action,
    CheckRules,
    CopyFile,
    FilterLocal,
    LoadRules,
    MoveFile,
    Plan,
    RemoveFile,
    SetBootVariable,
    Step,
    SwitchFilter,
    WriteFile,
)
from potnet.apply import apply
from potnet.errors import PotnetError
from potnet.host_state import FileKind, HostState, PacketFilter, Query
from potnet.planning.prepare import anchor_calls, skips_loopback, with_anchors, with_filter_local

if TYPE_CHECKING:
    from potnet.app import App

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
    rules = _rules_file(app)
    state = app.driver.observe(
        Query(
            texts=(rules, *((SYSCTL_CONF,) if loopback else ())),
            boot_variables=("pf_enable", "gateway_enable"),
        )
    )
    done = [*_write_rules(app, rules, state), *_boot_variables(app, state)]
    if loopback:
        done += _prepare_loopback(app, rules, state)
    actions = _loading(rules, _in_force(app, loopback), app, loopback)
    commands = tuple(line for action in actions for line in app.driver.describe(action))
    if apply_now:
        apply(Plan(tuple(Step(action) for action in actions)), app.driver)
    return InitReport(tuple(done), commands, apply_now and bool(commands))


def _rules_file(app: App) -> str:
    """The main ruleset's file, its links resolved so that it is replaced and not the link."""
    named = app.driver.observe(Query(boot_variables=("pf_rules",))).boot_variables.get("pf_rules", "").strip()
    path = named or RULES
    return app.driver.real_path(path) or path


def _write_rules(app: App, path: str, state: HostState) -> list[str]:
    old = state.texts.get(path, "")
    new = with_anchors(old, app.config)
    if new == old:
        return []
    fresh = f"{path}.potnet-new"
    steps: list[Step] = []
    done = f"{path}: anchors added"
    if path in state.texts:
        backup = _free_name(app, f"{path}.before-potnet")
        # The copy gives the new file its mode and owner.
        steps = [Step(CopyFile(path, backup)), Step(CopyFile(path, fresh), _removal(fresh))]
        done += f"; the file as it was is {backup}"
    steps += [
        Step(WriteFile(fresh, new), _removal(fresh)),
        Step(CheckRules(fresh), None, "nothing is put in place that pf refuses"),
        Step(MoveFile(fresh, path)),
    ]
    apply(Plan(tuple(steps)), app.driver)
    return [done]


def _removal(path: str) -> RemoveFile:
    directory, _, name = path.rpartition("/")
    return RemoveFile(directory or "/", name)


def _free_name(app: App, path: str) -> str:
    candidates = (path, *(f"{path}.{number}" for number in range(1, 10)))
    kinds = app.driver.observe(Query(files=candidates)).files
    for candidate in candidates:
        if kinds[candidate] is FileKind.ABSENT:
            return candidate
    raise PotnetError(f"there are ten backups beside {path} already", hint="remove those you do not need")


def _boot_variables(app: App, state: HostState) -> list[str]:
    done = []
    for name in ("pf_enable", "gateway_enable"):
        if state.boot_variables.get(name, "").strip().upper() not in ("YES", "TRUE", "ON", "1"):
            apply(Plan((Step(SetBootVariable(name, "YES")),)), app.driver)
            done.append(f"{name}=YES in rc.conf")
    return done


def _prepare_loopback(app: App, rules: str, state: HostState) -> list[str]:
    app.notify(LOOPBACK_WARNING)
    if skips_loopback(state.texts.get(rules, "")):
        app.notify(f"{rules} has `set skip on lo0`, which keeps pf from redirecting there: take it out")
    done = []
    old = state.texts.get(SYSCTL_CONF, "")
    new = with_filter_local(old)
    if new != old:
        fresh = f"{SYSCTL_CONF}.potnet-new"
        copy = [Step(CopyFile(SYSCTL_CONF, fresh), _removal(fresh))] if SYSCTL_CONF in state.texts else []
        write = Step(WriteFile(fresh, new), _removal(fresh))
        apply(Plan((*copy, write, Step(MoveFile(fresh, SYSCTL_CONF)))), app.driver)
        # rc(8) reads sysctl.conf before it loads pf's module, whose variable is not there until then.
        apply(Plan((Step(SetBootVariable("pf_load", "YES", LOADER_CONF)),)), app.driver)
        done.append(f"net.pf.filter_local=1 in {SYSCTL_CONF}, pf_load=YES in {LOADER_CONF}")
    return done


def _in_force(app: App, loopback: bool) -> PacketFilter:
    """What pf does now; nothing, where its module is not even loaded."""
    try:
        return app.driver.observe(Query(packet_filter=True, filter_local=loopback)).packet_filter
    except PotnetError:
        return PacketFilter()


def _loading(path: str, found: PacketFilter, app: App, loopback: bool) -> tuple[Action, ...]:
    """What puts the prepared in force, in order; empty when it is."""
    calls = {("nat-anchor", n) for n in found.nat_anchors}
    calls |= {("rdr-anchor", n) for n in found.rdr_anchors}
    calls |= {("anchor", n) for n in found.filter_anchors}
    actions: list[Action] = []
    if not calls.issuperset(anchor_calls(app.config)):
        actions.append(LoadRules(path))
    if loopback and not found.filter_local:
        # It counts only from the next time that pf is switched on.
        off = [SwitchFilter(False)] if found.enabled else []
        return (*actions, FilterLocal(), *off, SwitchFilter(True))
    if not found.enabled:
        actions.append(SwitchFilter(True))
    return tuple(actions)
