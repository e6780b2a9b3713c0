"""The store: what pots, bridges and leases are wanted, kept in one SQLite file."""
