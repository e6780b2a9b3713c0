"""Linux: pots as network namespaces, by iproute2, nftables and conntrack-tools."""

from potnet.drivers.linux.driver import Linux

__all__ = ["Linux"]
