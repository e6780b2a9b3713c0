"""pf(4) and dummynet(4): rules as text, and what pfctl(8) prints."""
