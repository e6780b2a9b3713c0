"""One suite for every host: what a user types, which connections come about, and what the host shows."""
