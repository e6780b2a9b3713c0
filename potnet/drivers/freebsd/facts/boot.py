"""Read rc.conf(5) variables as rc(8) does for a service: rc.conf.d comes after rc.conf."""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: Runs a command that only reads; None if the command fails.
Run = Callable[..., str | None]

#: The scripts of rc(8) that read these variables.
_SERVICES = {"pf_enable": "pf", "pf_rules": "pf", "pf_flags": "pf", "gateway_enable": "routing"}


def variables(run: Run, names: Iterable[str]) -> dict[str, str]:
    """Return the values of the variables that are set."""
    shown = {name: run("sysrc", *_of_service(name), "-n", name) for name in names}
    return {name: text.strip() for name, text in shown.items() if text is not None}


def files(run: Run, names: Iterable[str]) -> dict[str, str]:
    """Return the files that set the variables."""
    shown = {name: run("sysrc", *_of_service(name), "-F", name) for name in names}
    return {name: text.partition(":")[2].strip() for name, text in shown.items() if text is not None}


def _of_service(name: str) -> tuple[str, ...]:
    service = _SERVICES.get(name)
    return () if service is None else ("-s", service)
