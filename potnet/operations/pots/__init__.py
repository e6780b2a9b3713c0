"""The life of pots: create, set, start, stop, attach, run, destroy."""
