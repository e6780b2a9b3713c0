"""Actions as commands of Linux tools."""
