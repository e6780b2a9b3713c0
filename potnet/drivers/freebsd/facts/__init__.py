"""Facts from the answers of FreeBSD tools."""
