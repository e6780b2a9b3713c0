"""Variables of rc.conf(5), read as rc(8) reads them for a service: files in rc.conf.d come after rc.conf."""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: Runs a command that only reads; None when it fails.
Run = Callable[..., str | None]

#: The scripts of rc(8) that read these variables.
_SERVICES = {"pf_enable": "pf", "pf_rules": "pf", "pf_flags": "pf", "gateway_enable": "routing"}


def variables(run: Run, names: Iterable[str]) -> dict[str, str]:
    """The values of those that are set."""
    shown = {name: run("sysrc", *_of_service(name), "-n", name) for name in names}
    return {name: text.strip() for name, text in shown.items() if text is not None}


def files(run: Run, names: Iterable[str]) -> dict[str, str]:
    """The files that set them."""
    shown = {name: run("sysrc", *_of_service(name), "-F", name) for name in names}
    return {name: text.partition(":")[2].strip() for name, text in shown.items() if text is not None}


def _of_service(name: str) -> tuple[str, ...]:
    service = _SERVICES.get(name)
    return () if service is None else ("-s", service)
