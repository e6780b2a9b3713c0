"""Decisions: pure functions from what is wanted and what is there to a plan. No I/O, clock or randomness."""
