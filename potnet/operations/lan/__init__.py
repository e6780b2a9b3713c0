"""Bridges that are part of a LAN, and the addresses of pots there."""
