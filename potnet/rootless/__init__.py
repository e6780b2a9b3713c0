"""A Linux host without root: namespaces of one user's own, and the uplink that connects them.

A small process, the keeper, makes a user namespace and with it a network, mounts and process IDs that play
the host, starts the uplink's driver, and holds both until it is told to stop. A command joins the namespaces
and is root there; what it asks of the uplink, the keeper does outside.
"""
