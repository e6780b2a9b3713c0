"""The rules of the packet filter, and obstacles between packets of pots and these rules."""
