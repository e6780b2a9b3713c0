"""What carries actions to a host and facts from it, one package for each platform."""
