"""Bound what each source may use of a worker. Start with `bounds`."""
