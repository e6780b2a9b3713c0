"""Drivers carry actions to a host and read facts from it; each platform has one package."""
