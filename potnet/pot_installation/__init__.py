"""An installation of pot on this machine: its configuration, and the files of its pots and bridges.

potnet never writes these files, and checks all that it reads. Numbers are addresses. Imports stay light,
because pot's scripts start one process for each address.
"""

from potnet.pot_installation.installation import Installation, Pot, PotBridge, PotFile, find, locate

__all__ = ["Installation", "Pot", "PotBridge", "PotFile", "find", "locate"]
