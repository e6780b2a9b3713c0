"""The configuration: potnet.toml(5), pot.conf, and the host that a command applies to."""
