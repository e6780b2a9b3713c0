"""Ports that lead into a rootless host, and the requests that change them."""
