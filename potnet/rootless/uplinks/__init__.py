"""The uplinks of a rootless host, one module each, and the choice among them."""
