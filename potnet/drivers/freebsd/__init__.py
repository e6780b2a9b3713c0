"""FreeBSD 14 and later, by its own tools."""

from potnet.drivers.freebsd.driver import FreeBSD

__all__ = ["FreeBSD"]
