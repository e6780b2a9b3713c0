"""Networks of pots: bridges, addresses, units, policies, antispoof."""
