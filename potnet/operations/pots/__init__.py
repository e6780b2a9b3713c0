"""Pots as configured: create, set, copy in and destroy them."""
