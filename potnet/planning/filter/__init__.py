"""What the packet filter has to hold, and whether packets of pots reach it."""
