"""The rootless host itself: its namespaces, its keeper, its client."""
