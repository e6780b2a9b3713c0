"""The operations of the commands: load, observe, plan, apply, record."""
