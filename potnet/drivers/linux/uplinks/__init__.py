"""External interfaces of a Linux host as members of bridges."""
