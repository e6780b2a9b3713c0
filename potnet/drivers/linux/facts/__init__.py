"""Read facts from the output of Linux tools."""
