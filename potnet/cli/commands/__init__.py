"""One module per command: it parses, calls one operation and prints the result."""
