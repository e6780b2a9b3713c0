"""Support for running commands: locks, signals, progress, trust in files, fast imports."""
