"""What can be done to a host, and what is observed of it, as plain data."""
