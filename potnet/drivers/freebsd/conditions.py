"""The requirements of a FreeBSD host for pots."""

from __future__ import annotations

from collections.abc import Callable

from potnet.host.findings import Condition, Verdict

#: 14.0, the first release whose ifconfig(8) and route(8) work in a jail without the jail's programs (-j).
OLDEST = 1_400_000


def conditions(sysctl: Callable[[str], str | None]) -> tuple[Condition, ...]:
    """Judge release, kernel and environment. sysctl: returns the value of a variable, or None."""
    return (
        _release(sysctl("kern.osreldate") or ""),
        _vimage(sysctl("kern.features.vimage")),
        _taps(sysctl("net.link.tap.user_open")),
        _place(sysctl("security.jail.jailed")),
    )


def _release(value: str) -> Condition:
    number = int(value) if value.isascii() and value.isdigit() else 0
    shown = f"FreeBSD {number // 100_000}.{number // 1000 % 100}" if number else "unknown release"
    if number >= OLDEST:
        return Condition("release", Verdict.OK, shown)
    return Condition("release", Verdict.MISSING, shown, "upgrade to FreeBSD 14.0 or later: freebsd-update(8)")


def _vimage(value: str | None) -> Condition:
    if value == "1":
        return Condition("VIMAGE", Verdict.OK, "jails have network stacks of their own")
    return Condition(
        "VIMAGE", Verdict.LIMITED, "not in this kernel: pots on bridges cannot start",
        "boot a GENERIC kernel, or build one with `options VIMAGE`",
    )  # fmt: skip


def _taps(value: str | None) -> Condition:
    """Check for tap(4); its module creates the variable, whatever the value."""
    if value is not None:
        return Condition("taps", Verdict.OK, "can be made")
    return Condition("taps", Verdict.LIMITED, "the kernel lacks tap(4)", "kldload if_tuntap")


def _place(value: str | None) -> Condition:
    if value == "0":
        return Condition("place", Verdict.OK, "the host itself")
    return Condition(
        "place", Verdict.MISSING, "inside a jail", "run potnet on the host, or reach it with --via"
    )
