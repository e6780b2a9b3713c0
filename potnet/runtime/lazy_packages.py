"""Import packages without their ``__init__``, so that only the requested modules are loaded."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any


def lean(package: str, *modules: str) -> None:
    """Import a package without its ``__init__``: names are looked up in these of its modules.

    For other names the whole package is loaded.
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

    # Python calls a module's own __getattr__ for missing names (PEP 562).
    module.__dict__["__getattr__"] = found
    sys.modules[package] = module
