"""What every test stands on: nothing of the caller's own set-up, and patience on slow machines.

What tests count (points tried, runs, inputs, failures) is shown at the end of the run.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator

import pytest
from forks import Forks
from hypothesis import settings

settings.register_profile("sample", deadline=None, max_examples=40)
settings.register_profile("all", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples hypothesis tries, and restore signals that a background shell ignores."""
    settings.load_profile("sample" if config.option.markexpr else "all")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """Half of the time, tests wait for processes and for the kernel."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that are slow have as long as they take; what hangs among the others fails."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(0))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests stay until the end: searching them for circles of objects, meanwhile and later on, is in vain."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _neutral_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No variable, configuration, store, language, time zone or umask of whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    umask = os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("LC_ALL", "C.UTF-8")
        for name in ("TZ", "COLUMNS", "LINES", "NO_COLOR", "LANGUAGE"):
            patch.delenv(name, raising=False)
        for name in [name for name in os.environ if name.startswith("POTNET_")]:
            patch.delenv(name)
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(home / name.lower()))
        own = home / "xdg_config_home" / "potnet" / "potnet.toml"
        own.parent.mkdir(parents=True)
        # An empty file of one's own hides the system's.
        own.touch()
        yield
    os.umask(umask)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Programs in copies of a process that has imported potnet."""
    with Forks() as started:
        yield started


#: By item, what its tests counted; those of several tests are added up.
_FIGURES: dict[str, Counter[str]] = {}


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``figure("crash points", points=12, runs=36)`` adds to the figures of an item."""

    def add(item: str, **counts: float) -> None:
        # Properties of a test travel with its report, from whichever process ran it.
        request.node.user_properties.append(("figure", (item, counts)))

    return add


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what the tests of any process counted."""
    for name, value in report.user_properties if report.when == "teardown" else ():
        if name == "figure":
            item, counts = value
            _FIGURES.setdefault(item, Counter()).update(counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show a line for each item that was counted."""
    if _FIGURES:
        terminalreporter.section("figures")
    for item, counts in _FIGURES.items():
        shown = ", ".join(f"{count:,.10g} {what.replace('_', ' ')}" for what, count in counts.items())
        terminalreporter.write_line(f"{item}: {shown}")
