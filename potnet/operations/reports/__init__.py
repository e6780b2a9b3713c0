"""Reports: info, show, graph, metrics, dns."""
