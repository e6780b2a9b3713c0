"""jail(8), jls(8) and jexec(8) of a simulated host."""
