"""Benchmark of the edge: calls over wss beside floods, from thousands of sources. `sudo python -m benchmarks.edge --help`."""
