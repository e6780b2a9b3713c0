"""How libxo(3) writes JSON."""

from __future__ import annotations


def libxo(text: str) -> str:
    """A string as libxo(3) writes it in JSON: only these characters are escaped."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
