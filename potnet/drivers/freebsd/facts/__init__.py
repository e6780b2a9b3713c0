"""Read facts from the output of FreeBSD's tools."""
