"""The state of a simulated host: rows in a file, a directory tree, typed access."""
