"""What potnet reports: info, show, graph, metrics, dns."""
