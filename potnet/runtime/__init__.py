"""What runs beside the work: locks, signals, progress, trust in files, fast imports."""
