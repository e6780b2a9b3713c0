"""The application object, the only module that names drivers and executors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from potnet import pot_installation
from potnet.config import files
from potnet.config.host_kind import REAL, Target, find_target, require_root, require_system
from potnet.errors import ConfigError, StoreError, printable
from potnet.runtime.fast_dataclass import dataclass
from potnet.runtime.output import beside, silent, write_stderr, write_stdout
from potnet.runtime.progress import Progress
from potnet.runtime.search_path import installation_path
from potnet.runtime.trust import real_root
from potnet.store.file import FILE_NAME

# Commands that only ask for addresses must answer in a few milliseconds; they skip most imports below.
if TYPE_CHECKING:
    from potnet.config.configuration import Config
    from potnet.drivers.base import Driver
    from potnet.executors.base import Executor
    from potnet.executors.simulated import SimulatedHost
    from potnet.host.findings import Condition
    from potnet.pot_installation import Installation
    from potnet.rootless.host.client import Connection, RootlessHost
    from potnet.runtime.command_log import Priority, Record
    from potnet.runtime.locks import Locks
    from potnet.store.store import Store

#: Under this key the store keeps the prefix of pot's installation.
POT_PREFIX = "pot prefix"
SIMULATED_NOTICE = "the host is simulated: nothing of this machine is changed (--host freebsd for a real one)"


#: The purpose of a command. free: it gives resources of pots back, which must work on a full disk.
Purpose = Literal["read", "change", "free", "restore"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of the command line; None means that the configuration decides.

    rootless: use a rootless host on Linux, even for root. record: the command's line in the log of commands.
    """

    config_file: Path | None = None
    host: str | None = None
    state_dir: Path | None = None
    via: str | None = None
    rootless: bool = False
    dry_run: bool = False
    verbose: int = 0
    quiet: bool = False
    purpose: Purpose = "read"
    record: Record | None = None

    @property
    def changes_host(self) -> bool:
        """Return whether the command may change the host or the store."""
        return self.purpose != "read"


@dataclass
class App:
    """Everything that operations need. notify: shows the user a line beside the result; progress: shows the
    progress.

    damaged: the store on disk is damaged, and an empty store in memory replaces it; only for a restore.
    rootless: the host in namespaces, if used. outside: what this machine provides for such a host.

    The executor and the driver are created at their first use, because some commands only read the store.
    """

    config: Config
    store: Store
    host_kind: str
    notify: Callable[[str], None]
    locks: Locks
    make_executor: Callable[[], Executor]
    dry_run: bool = False
    damaged: bool = False
    progress: Progress = field(default_factory=Progress)
    find_installation: Callable[[], Installation | None] = lambda: None
    rootless: RootlessHost | None = None
    outside: Callable[[], tuple[Condition, ...]] | None = None

    @cached_property
    def installation(self) -> Installation | None:
        """Return pot's installation on this machine, if there is one."""
        return self.find_installation()

    @cached_property
    def executor(self) -> Executor:
        return self.make_executor()

    @cached_property
    def driver(self) -> Driver:
        driver = self._real_driver()
        if self.dry_run:
            from potnet.drivers.assumed import Assumed

            return Assumed(driver)
        return driver

    def _real_driver(self) -> Driver:
        if self.rootless is not None:
            from potnet.drivers.linux.rootless import RootlessLinux

            shared = self.config.rootless_uplink == "host"
            return RootlessLinux(self.executor, self._render, shared)
        if self.host_kind == "linux":
            from potnet.drivers.linux import Linux

            return Linux(self.executor, self._render)
        from potnet.drivers.freebsd import FreeBSD

        return FreeBSD(self.executor, self._render, self.progress)

    def _render(self, template: str, values: dict[str, object]) -> str:
        # Jinja2 is imported here, because most commands render no template.
        from potnet import templates

        return templates.render(self.config.templates, template, values)


@dataclass(frozen=True, slots=True)
class Records:
    """The files that answer questions about addresses, on any system and for any user.

    store: None if none exists.
    """

    config: Config | None
    store: Store | None
    installation: Installation | None


@contextmanager
def open_records(settings: Settings) -> Iterator[Records]:
    """Open the records for one question and create nothing. Raises ConfigError or StoreError.

    config is None if no file sets anything and pot's own configuration applies.
    """
    config = _load_config(settings)
    target = _target(settings, config)
    directory = target.directory
    # A log without its store is an error that the store reports.
    if not any((directory / name).exists() for name in (FILE_NAME, f"{FILE_NAME}-wal")):
        yield _records(config, None)
        return
    from potnet.store import opening

    with opening.to_read(directory, target.kind) as store, store.blamed():
        yield _records(config, store)


def _records(config: Config | None, store: Store | None) -> Records:
    found = _installation(config, store)
    if found is None and config is None:
        from potnet.config import configuration

        config = configuration.without_file(None)
    return Records(config, store, found)


def _load_config(settings: Settings) -> Config | None:
    """Load the configuration file; None if the file does not exist."""
    if files.in_force(settings.config_file) is None:
        return None
    from potnet.config import configuration

    return configuration.load_file(settings.config_file)


def _target(settings: Settings, config: Config | None) -> Target:
    """Find the host that a command acts on. Raises ConfigError if the options contradict the host."""
    return find_target(config, settings.host, settings.via, settings.rootless, settings.state_dir)


def _installation(config: Config | None, store: Store | None) -> Installation | None:
    """The installation of pot on this machine, if there is one."""
    given = config.pot_prefix if config is not None else None
    known = store.remembered(POT_PREFIX) if store is not None else None
    return pot_installation.locate(given, known, installation_path(), str(files.to_write()))


def _remembered_installation(config: Config | None, store: Store) -> Installation | None:
    """Find the installation of pot, and record in the store where it is."""
    found = _installation(config, store)
    if found is None:
        if store.remembered(POT_PREFIX) is not None:
            store.forget(POT_PREFIX)
    elif store.remembered(POT_PREFIX) != found.prefix:
        store.remember(POT_PREFIX, found.prefix)
    return found


def config_in_force(settings: Settings) -> Config:
    """Return the configuration of the named file, of the system or of pot. It creates nothing."""
    from potnet.config import configuration

    config = _load_config(settings)
    if config is not None:
        return config
    try:
        with open_records(settings) as records:
            return configuration.without_file(records.installation)
    except StoreError:
        # Only root can read the store's record of pot, but every user needs the rest.
        return configuration.without_file(_installation(None, None))


@contextmanager
def open_app(settings: Settings) -> Iterator[App]:
    """The application for one command. Raises ConfigError, StoreError or HostError."""
    from potnet.config import configuration
    from potnet.runtime.locks import Locks
    from potnet.store.file.permissions import is_read_only

    given = _load_config(settings)
    target = _target(settings, given)
    kind, directory = target.kind, target.directory
    _log_commands(settings, target)
    if kind in REAL and target.via is None:
        require_system(kind)
        if settings.changes_host and not settings.dry_run and not target.rootless:
            require_root()
    progress = _progress(settings)
    notify = silent if settings.quiet else beside(progress)
    if kind == "sim" and settings.changes_host and not (directory / FILE_NAME).exists():
        notify(SIMULATED_NOTICE)
    store, damaged = _open_store(settings, target)
    # If nothing can be written, no other command can change anything either.
    alone = settings.dry_run or (not settings.changes_host and is_read_only(directory))
    with store, store.blamed():
        locate = _remembered_installation if settings.changes_host and not settings.dry_run else _installation
        find = partial(locate, given, store)
        config = given or configuration.without_file(find())
        if kind == "linux":
            config = configuration.beside_store(config, directory.absolute())
        host = _rootless_host(config, directory) if target.rootless else None
        yield App(
            config=with_anchors_in_force(config, store),
            store=store,
            host_kind=kind,
            notify=notify,
            progress=progress,
            locks=Locks(None if alone else directory / "locks", config.lock_wait),
            make_executor=lambda: _executor(settings, config, target, host),
            dry_run=settings.dry_run,
            damaged=damaged,
            find_installation=find,
            rootless=host,
            outside=partial(_outside, host) if host is not None else None,
        )


def _log_commands(settings: Settings, target: Target) -> None:
    """Choose the log of commands: the system's, or one of the host's own."""
    from potnet.runtime.command_log import to_file, to_syslog

    record = settings.record
    if record is None or settings.dry_run:
        return
    record.via = target.via
    if target.kind == "sim":
        record.write = partial(_log_simulated, target.directory)
    elif target.rootless:
        record.write = to_file(target.directory / "commands.log")
    else:
        record.write = to_syslog


def _log_simulated(directory: Path, line: str, priority: Priority) -> None:
    _simulated(directory).log(line)


def _simulated(directory: Path) -> SimulatedHost:
    from potnet.executors.simulated import SimulatedHost, environment

    return SimulatedHost(directory / "sim", environment.is_bare(), environment.machine())


def _open_store(settings: Settings, target: Target) -> tuple[Store, bool]:
    """Open the store for one command. The second value is True if the store is damaged (only for a
    restore)."""
    from potnet.store import opening

    place = target.directory, target.kind
    if settings.purpose == "restore":
        from potnet.store import backups

        return backups.open_for_trial(*place) if settings.dry_run else backups.open_for_restore(*place)
    if settings.dry_run:
        return opening.to_plan(*place), False
    if settings.purpose == "free":
        return opening.to_free(*place), False
    if settings.changes_host:
        return opening.to_change(*place), False
    return opening.to_read(*place), False


def with_anchors_in_force(config: Config, store: Store) -> Config:
    """Return the configuration with the anchors that hold the rules of the running pots."""
    recorded = store.anchors()
    if recorded is None or not store.anything_up():
        return config
    nat, rdr, filters = recorded
    return replace(config, nat_anchor=nat, rdr_anchor=rdr, filter_anchor=filters)


def _rootless_host(config: Config, directory: Path) -> RootlessHost:
    from dataclasses import fields
    from ipaddress import IPv4Network

    from potnet.rootless.host.client import RootlessHost
    from potnet.rootless.uplinks.options import Options

    given = {each.name: getattr(config, f"rootless_{each.name}") for each in fields(Options)}
    options = Options(**given)
    if options.network.overlaps(IPv4Network(str(config.network))):
        raise ConfigError(
            f"rootless.cidr = {options.cidr} overlaps network.public = {config.network}",
            hint="give the uplink a network that no pot is in, such as 192.168.127.0/24",
        )
    return RootlessHost(options, directory / "host")


def _outside(host: RootlessHost) -> tuple[Condition, ...]:
    """Look at what this machine provides for a rootless host; the host itself need not run."""
    from potnet.drivers.linux.conditions import LOOK, conditions
    from potnet.executors.base import Command
    from potnet.executors.local import LocalExecutor
    from potnet.rootless.uplinks.conditions import uplinks

    looked = LocalExecutor().run(Command(("sh", "-c", LOOK), changes_host=False))
    return (*conditions(looked.out), *uplinks(host.options))


def _join(settings: Settings, host: RootlessHost) -> Connection:
    """Enter a rootless host. A command that changes something starts the host; other commands see an empty
    one."""
    # This call comes first: inside the host, /proc/self and the machine's process IDs are hidden.
    real_root()
    changes = settings.changes_host
    connection, commands = host.ensure() if changes and not settings.dry_run else host.look(planned=changes)
    for command in commands if changes else ():
        if settings.dry_run:
            write_stdout(printable(" ".join(command)))
        elif settings.verbose:
            write_stderr(f"+ {' '.join(command)}")
    connection.join()
    return connection


def _executor(settings: Settings, config: Config, target: Target, host: RootlessHost | None) -> Executor:
    executor: Executor
    if target.kind == "sim":
        executor = _simulated(target.directory)
    else:
        from potnet.executors.base import Limit
        from potnet.executors.local import LocalExecutor

        limits = {Limit.BRIEF: config.command_wait, Limit.LONG: config.long_wait}
        executor = LocalExecutor(prefixed=target.via is not None, limits=limits)
    if host is not None:
        from potnet.executors.rootless import RootlessExecutor

        executor = RootlessExecutor(executor, _join(settings, host))
    if target.via:
        from potnet.executors.remote import RemoteExecutor

        executor = RemoteExecutor(target.via, executor)
    if settings.dry_run:
        from potnet.executors.dry_run import DryRun

        executor = DryRun(executor, write_stdout)
    if settings.verbose:
        from potnet.executors.traced import Traced

        executor = Traced(executor, write_stderr)
    return executor


def _progress(settings: Settings) -> Progress:
    """Return the progress line, shown on a terminal unless an option asks for other output."""
    plain = settings.quiet or settings.verbose or settings.dry_run or os.environ.get("TERM") == "dumb"
    return Progress(None if plain else sys.stderr)
