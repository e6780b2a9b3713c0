"""The first state of a simulated host and its other system tools."""
