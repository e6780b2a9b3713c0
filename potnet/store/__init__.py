"""The store: pots, bridges and leases in one SQLite file."""
