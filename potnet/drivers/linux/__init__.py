"""The driver for Linux: pots are network namespaces, made with iproute2, nftables and conntrack-tools."""

from potnet.drivers.linux.driver import Linux

__all__ = ["Linux"]
