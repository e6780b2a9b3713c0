"""Files of pots: hooks, resolver and hosts files, and logs."""
