"""Write JSON as libxo(3) does."""

from __future__ import annotations


def libxo(text: str) -> str:
    """Return a string in libxo(3)'s JSON, which escapes only these characters."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
