"""Files of pots: hooks, resolver and hosts files, and the journal of unfinished commands."""
