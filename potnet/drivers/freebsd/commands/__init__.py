"""Render actions as FreeBSD commands."""
