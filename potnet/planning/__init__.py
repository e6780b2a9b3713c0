"""Pure functions that compare configuration and host and return plans; no I/O, clock or randomness."""
