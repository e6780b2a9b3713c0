"""Actions on a host and observations of a host, as plain data."""
