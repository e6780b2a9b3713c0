"""Every plan that ends a jail, or takes the network of one away, held to the only order that is safe.

First what runs in it ends, then its epairs go by the host's end, then passed interfaces come home under their
own names, and then the jail is removed, unless one of these failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from potnet.apply import Applied, apply_all
from potnet.config.configuration import load
from potnet.drivers.base import Driver
from potnet.errors import HostError
from potnet.host.actions import Action, DestroyInterface, Plan, Step, TakeBack
from potnet.host.jail_actions import EndProcesses, StopJail
from potnet.host.state import FileKind, HostState, Interface, JailState, PacketFilter
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import Attachment, Lent, NetworkType, Pot, Run, Stack
from potnet.planning.merged import side_by_side
from potnet.planning.start import Surroundings, plan_start
from potnet.planning.stop import StopContext, plan_stop
from potnet.planning.vnet import Vnet, description

CONFIG = load(None)
BRIDGE = Bridge("stove", BridgeKind.PUBLIC6, 7)
JID = 12


@st.composite
def pots(draw: st.DrawFn, number: int = 0) -> Pot:
    units = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
    passed = draw(st.lists(st.sampled_from(["em1", "em2", "em3"]), max_size=2, unique=True))
    wires = tuple(Attachment(BRIDGE.name, 10 * number + unit, f"02:00:00:00:00:{unit:02x}") for unit in units)
    return Pot(
        f"pot{number}", NetworkType.PUBLIC_BRIDGE, Stack.IPV6, f"/jails/{number}", attachments=wires,
        passed=tuple(f"{name}{number}" for name in passed),
    )  # fmt: skip


def lent_to(pot: Pot) -> tuple[Lent, ...]:
    return tuple(Lent(name, None, 1500, False, None, 3) for name in pot.passed)


@st.composite
def stops(draw: st.DrawFn, number: int = 0) -> tuple[Run, HostState]:
    """A recorded start and the host as a stop, repair, destroy, detach or next start may find it."""
    pot = draw(pots(number))
    attached = draw(st.booleans())
    jid = draw(st.sampled_from([None, JID]))
    run = Run(pot, jid, attached=attached, stopping=draw(st.booleans()), lent=lent_to(pot))
    there = draw(st.sampled_from([None, JID, JID, JID + 1]))
    jails = {} if there is None else {pot.name: JailState(there, pot.name, pot.root)}
    ends = {a.host_end for a in pot.attachments}
    own = frozenset(end for end in ends if draw(st.integers(0, 3)))
    home = {name: Interface(name, mac="02:00:00:00:00:99") for name in pot.passed if draw(st.booleans())}
    return run, HostState(jails=jails, own=own, interfaces=home)


def stop_of(run: Run, state: HostState) -> Plan:
    return plan_stop(run, StopContext(Vnet()), CONFIG, state)


def held(pot: Pot, actions: Sequence[Action]) -> None:
    """The order of what is about one pot."""
    ends = {a.host_end for a in pot.attachments}
    places: dict[str, list[int]] = {"end": [], "wire": [], "back": [], "jail": []}
    for number, action in enumerate(actions):
        match action:
            case EndProcesses(jail) if jail == pot.name:
                places["end"].append(number)
            case DestroyInterface(name) if name in ends:
                places["wire"].append(number)
            case TakeBack(_, jail) if jail == pot.name:
                places["back"].append(number)
            case StopJail(jail) if jail.name == pot.name:
                places["jail"].append(number)
    together = [number for kind in ("end", "wire", "back", "jail") for number in places[kind]]
    assert together == sorted(together), actions
    if places["jail"]:
        assert len(places["end"]) == len(places["jail"]) == 1
        assert len(places["back"]) == len(pot.passed)


def owned(run: Run, state: HostState) -> bool:
    found = state.jails.get(run.pot.name)
    return found is not None and run.jid in (None, found.jid)


@given(stops())
def test_a_stop_and_all_that_is_like_it(found: tuple[Run, HostState]) -> None:
    run, state = found
    actions = [step.action for step in stop_of(run, state).steps]
    held(run.pot, actions)
    kinds = {type(action) for action in actions}
    assert (StopJail in kinds) == (owned(run, state) and not run.attached)
    assert (EndProcesses in kinds) == (StopJail in kinds)
    wires = {action.interface for action in actions if isinstance(action, DestroyInterface)}
    assert wires == state.own
    assert (TakeBack in kinds) == (owned(run, state) and bool(run.lent))


@given(st.tuples(stops(1), stops(2), stops(3)))
def test_stops_of_many(found: tuple[tuple[Run, HostState], ...]) -> None:
    merged = side_by_side([stop_of(run, state) for run, state in found])
    for run, _ in found:
        held(run.pot, [step.action for step in merged.steps])


class Recorder:
    """A driver that keeps what it is told to do, and fails at some of it."""

    def __init__(self, failing: Sequence[Action] = ()) -> None:
        self.done: list[Action] = []
        self._failing = failing

    def check(self, actions: Sequence[Action]) -> None:
        pass

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        return tuple((action,) for action in actions)

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        if batch[0] in self._failing:
            raise HostError("no")
        self.done += batch
        return ("",) * len(batch)

    def describe(self, action: Action) -> tuple[str, ...]:
        return (str(action),)


def driver(failing: Sequence[Action] = ()) -> tuple[Driver, list[Action]]:
    made = Recorder(failing)
    return made, made.done  # type: ignore[return-value]


@given(stops(), st.data())
def test_the_jail_stays_where_anything_of_the_hosts_may_be_in_it(
    found: tuple[Run, HostState], data: st.DataObject
) -> None:
    run, state = found
    plan = stop_of(run, state)
    vital = [step.action for step in plan.steps if isinstance(step.action, (DestroyInterface, TakeBack))]
    failing = data.draw(st.lists(st.sampled_from(vital), unique=True)) if vital else []
    made, done = driver(failing)
    lines = apply_all(plan, made)
    stopped = [action for action in done if isinstance(action, StopJail)]
    if failing:
        assert not stopped
        assert len(lines) >= len(failing)
    else:
        assert len(stopped) == (owned(run, state) and not run.attached)


@given(stops())
def test_nothing_is_taken_back_from_a_jail_that_still_runs(found: tuple[Run, HostState]) -> None:
    run, state = found
    plan = stop_of(run, state)
    made, done = driver([step.action for step in plan.steps if isinstance(step.action, EndProcesses)])
    apply_all(plan, made)
    if run.lent and not run.attached:
        assert not any(isinstance(action, (TakeBack, StopJail)) for action in done)


def start_of(pot: Pot, attached: bool) -> Plan:
    bridge = Interface(BRIDGE.interface, True, description=description(BRIDGE))
    around = Surroundings(Vnet(), {BRIDGE.name: BRIDGE}, attached=attached, lent=lent_to(pot))
    files = {pot.root: FileKind.DIRECTORY, f"{pot.root}/etc": FileKind.ABSENT}
    state = HostState(interfaces={bridge.name: bridge}, files=files, packet_filter=PacketFilter(enabled=True))
    return plan_start(pot, around, CONFIG, state)


def undo_of(steps: Sequence[Step]) -> list[Action]:
    made, done = driver()
    assert Applied(made, list(steps)).roll_back() == ()
    return done


@given(pots(), st.booleans())
def test_the_undo_of_a_start_wherever_it_fails(pot: Pot, attached: bool) -> None:
    steps = start_of(pot, attached).steps
    for number in range(len(steps) + 1):
        done = undo_of(steps[:number])
        held(pot, done)
        assert len(done) == len(set(done))
    kinds = [type(action) for action in done]
    assert kinds.count(StopJail) == (not attached)
    assert kinds.count(DestroyInterface) == len(pot.attachments)
    assert kinds.count(TakeBack) == len(pot.passed)


@given(pots(1), pots(2))
def test_the_undo_of_a_start_of_many(one: Pot, other: Pot) -> None:
    steps = side_by_side([start_of(one, False), start_of(other, False)]).steps
    for number in range(len(steps) + 1):
        for pot in (one, other):
            held(pot, undo_of(steps[:number]))
