"""The scenarios: functions that take a `User`, each with what it requires of a host."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from .user import User

Work = Callable[[User], None]


@dataclass(frozen=True)
class Scenario:
    """topic: the module that holds it. needs: see `Host.lacks`. sample: where `make test` runs it."""

    topic: str
    name: str
    work: Work
    needs: tuple[str, ...]
    sample: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.topic}: {self.name}"


_SCENARIOS: list[Scenario] = []


def scenario(*needs: str, sample: str = "", name: str = "") -> Callable[[Work], Work]:
    """Register a function as a scenario; its name is that of the function unless another is given.

    sample: the hosts on which it is one of the few that `make test` runs, with blanks between them.
    """

    def register(work: Work) -> Work:
        topic = work.__module__.rpartition(".")[2].replace("_", " ")
        title = name or work.__name__.replace("_", " ")
        _SCENARIOS.append(Scenario(topic, title, work, needs, tuple(sample.split())))
        return work

    return register


def scenarios() -> list[Scenario]:
    """Return all scenarios, topic by topic."""
    from . import scenarios as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    return list(_SCENARIOS)
