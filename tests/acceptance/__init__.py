"""One suite for every host: what a user types, which connections come about, and what the host shows."""

import sys
from pathlib import Path

_WORLDS = str(Path(__file__).resolve().parents[1] / "linux")
if _WORLDS not in sys.path:
    sys.path.append(_WORLDS)

import agent  # noqa: E402
import linux_world  # noqa: E402

__all__ = ["agent", "linux_world"]
