"""Facts from the answers of Linux tools."""
