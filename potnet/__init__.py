"""potnet: the network of FreeBSD jails, in the style of pot."""

__version__ = "0.1.0"
