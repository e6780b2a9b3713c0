"""Packages whose ``__init__`` loads all that they have, made to load only what is asked of them."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any


def lean(package: str, *modules: str) -> None:
    """Let a package be imported without its ``__init__``: names are looked for in these of its modules.

    What none of them has is looked for in the whole package, which is loaded then.
    """
    spec = find_spec(package) if package not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    whole = spec.loader.exec_module
    module = module_from_spec(spec)

    def found(name: str) -> Any:
        if find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        for part in modules if not name.startswith("__") else ():
            names = vars(import_module(f"{package}.{part}"))
            if name in names:
                return names[name]
        if module.__dict__.pop("__getattr__", None) is not None:
            whole(module)
        return getattr(module, name)

    # A module's own __getattr__ is asked for what it lacks (PEP 562).
    module.__dict__["__getattr__"] = found
    sys.modules[package] = module
