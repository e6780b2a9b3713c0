"""A Linux host without root: a user's own namespaces, and the uplink that connects them.

A small process, the keeper, creates a user namespace with a network, mounts and process IDs. These namespaces
are the host. The keeper starts the uplink's driver, and keeps both until it is told to stop. A command joins
the namespaces and is root there; the keeper carries out its requests to the uplink outside.
"""
