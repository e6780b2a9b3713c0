"""What the commands do: load, observe, plan, apply, record."""
