"""Packets on the modelled network: their ways, and what answers."""
