"""The host and the store: init, doctor, check, repair, backups, rootless hosts."""
