"""The driver for FreeBSD 14 and later, which uses the tools of the base system."""

from potnet.drivers.freebsd.driver import FreeBSD

__all__ = ["FreeBSD"]
