"""The store: what pots, bridges and leases are wanted, kept in one SQLite file."""

#: The file, in the state directory.
FILE_NAME = "potnet.db"
