"""The packet filter of Linux: one nftables table."""
