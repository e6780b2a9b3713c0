"""Support for users of pot: the helper for its scripts, and the import of an installation."""
