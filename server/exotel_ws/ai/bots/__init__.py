"""Several bots in one deployment: which answers a call, and what it has of its own."""
