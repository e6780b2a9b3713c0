"""A command line whose operations are stand-ins: they note how they were called and answer as told."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from potnet.cli.main import run
from potnet.config.configuration import load
from potnet.operations.exports.export_ports import ExportRequest
from potnet.operations.networks.bridges import BridgeRequest
from potnet.operations.pots.create import CreateRequest
from potnet.operations.pots.settings import SettingsRequest

#: Module and functions of each operation.
OPERATIONS = {
    "pots.create": ("create",),
    "pots.destroy": ("destroy_pot", "destroy_bridge"),
    "running.start": ("start",),
    "running.stop": ("stop",),
    "running.restart": ("restart",),
    "running.run_exec": ("run", "execute"),
    "exports.export_ports": ("export_ports",),
    "networks.bridges": ("create_private_bridge", "set_bridge"),
    "networks.policies": ("add", "remove", "listed"),
    "networks.vnet": ("vnet_start", "vnet_stop"),
    "pots.settings": ("set_options",),
    "pots.clone": ("clone",),
    "pots.rename": ("rename",),
    "pots.copy_in": ("copy_in",),
    "files.hooks": ("set_hook",),
    "maintenance.init": ("init",),
    "reports.show": ("show_pot", "show_all", "show_ports"),
    "maintenance.rootless": ("status", "start", "stop", "enter", "change_ports"),
    "reports.used_addresses": ("show_network", "show_bridge"),
    "reports.info": ("info", "list_pots", "list_bridges", "environment", "bridge_info", "own_settings"),
    "selection": ("named_pots", "all_pots", "boot_pots", "running_pots"),
    "maintenance.check": ("check",),
    "maintenance.repair": ("repair",),
}


#: The values that operations take for their options.
REQUESTS = {
    "CreateRequest": CreateRequest,
    "ExportRequest": ExportRequest,
    "BridgeRequest": BridgeRequest,
    "SettingsRequest": SettingsRequest,
}


class Result(NamedTuple):
    """What one command gave."""

    code: int
    out: str
    err: str


@dataclass
class Stage:
    """answers: what a function returns, or the exception it raises. calls: function, arguments, keywords."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    settings: list[SimpleNamespace] = field(default_factory=list)
    app: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(config=load(None)))

    def function(self, name: str) -> Callable[..., Any]:
        def call(app: object, *args: Any, **kwargs: Any) -> Any:
            assert app is self.app
            self.calls.append((name, args, kwargs))
            answer = self.answers.get(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer(*args) if callable(answer) else answer

        return call

    @contextmanager
    def open_app(self, settings: SimpleNamespace) -> Iterator[SimpleNamespace]:
        self.settings.append(settings)
        yield self.app

    @property
    def call(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """The one call that was made."""
        assert len(self.calls) == 1
        return self.calls[0]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stand-ins in the places of potnet.app and potnet.operations."""
    stage = Stage()
    stage.answers["own_settings"] = {}
    stage.answers["named_pots"] = lambda names: list(names)
    stage.answers["all_pots"] = ["every", "pot"]
    stage.answers["boot_pots"] = ["boots"]
    app = ModuleType("potnet.app")
    app.__dict__.update(Settings=SimpleNamespace, open_app=stage.open_app, open_records=stage.open_app)
    monkeypatch.setitem(sys.modules, "potnet.app", app)
    for name, functions in OPERATIONS.items():
        module = ModuleType(f"potnet.operations.{name}")
        module.__dict__.update({function: stage.function(function) for function in functions})
        module.__dict__.update(REQUESTS)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        room, _, last = module.__name__.rpartition(".")
        monkeypatch.setattr(importlib.import_module(room), last, module, raising=False)
    return stage


@pytest.fixture
def potnet(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run one command line."""

    def potnet(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(arguments)
        return Result(code, *capsys.readouterr())

    return potnet
