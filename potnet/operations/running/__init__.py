"""Pots at work: start, stop, restart, attach and run them, and remove what a start made."""
