"""An installation of pot on this machine: its configuration, and the files of its pots and bridges.

They are read fresh each time, never written, and never trusted to be what they should be. Numbers are
addresses; imports stay light, since pot's scripts ask for addresses one process at a time.
"""

from potnet.pot_installation.installation import Installation, Pot, PotBridge, PotFile, find, locate

__all__ = ["Installation", "Pot", "PotBridge", "PotFile", "find", "locate"]
