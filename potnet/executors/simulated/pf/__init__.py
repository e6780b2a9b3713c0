"""pf(4) and pfctl(8) of a simulated host."""
