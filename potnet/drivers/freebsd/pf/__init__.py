"""Write rules for pf(4) and dummynet(4), and parse the output of pfctl(8)."""
