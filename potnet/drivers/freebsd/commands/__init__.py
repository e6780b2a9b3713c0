"""Actions as FreeBSD commands."""
