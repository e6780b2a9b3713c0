"""The public key of a private one (X25519, RFC 7748), and both as text."""

from __future__ import annotations

import base64
import binascii

_PRIME = 2**255 - 19
_A24 = 121665
_LENGTH = 32


def decoded(text: str) -> bytes | None:
    """Return the octets of a key in base64; None for anything else."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _LENGTH else None


def public_key(private: str) -> str:
    """Return the public key of a private key, both in base64."""
    octets = bytearray(base64.b64decode(private))
    octets[0] &= 248
    octets[31] = octets[31] & 127 | 64
    shared = _multiply(int.from_bytes(octets, "little"), 9)
    return base64.b64encode(shared.to_bytes(_LENGTH, "little")).decode()


def _multiply(scalar: int, u: int) -> int:
    """Climb the Montgomery ladder (RFC 7748, section 5)."""
    low, high = (1, 0), (u, 1)
    for bit in range(254, -1, -1):
        swap = scalar >> bit & 1
        low, high = (high, low) if swap else (low, high)
        low, high = _step(low, high, u)
        low, high = (high, low) if swap else (low, high)
    return low[0] * pow(low[1], _PRIME - 2, _PRIME) % _PRIME


def _step(low: tuple[int, int], high: tuple[int, int], u: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the double of the lower point, and the sum of both."""
    plus, minus = low[0] + low[1], low[0] - low[1]
    left, right = (high[0] - high[1]) * plus % _PRIME, (high[0] + high[1]) * minus % _PRIME
    plus, minus = plus * plus % _PRIME, minus * minus % _PRIME
    gap = (plus - minus) % _PRIME
    double = plus * minus % _PRIME, gap * (plus + _A24 * gap) % _PRIME
    both = (left + right) ** 2 % _PRIME, u * (left - right) ** 2 % _PRIME
    return double, both
