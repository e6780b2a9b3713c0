"""Interfaces, addresses and routes of a simulated host."""
