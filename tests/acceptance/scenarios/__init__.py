"""The scenarios by topic: one module each."""
