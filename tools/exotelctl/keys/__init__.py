"""Keys of streams on this host: which the serving generation takes, and which of them calls have shown."""
