"""Interfaces, addresses, routes and connections of a simulated host."""
