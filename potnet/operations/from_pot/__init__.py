"""What pot users have: the helper called by its scripts, and the import of an installation."""
