"""Benchmarks: this server beside the guide's echo on Node `ws`, in one run. `python -m benchmarks --help`."""
