"""Pots, bridges, leases, ports and address ranges, as plain data."""
