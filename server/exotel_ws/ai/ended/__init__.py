"""Report of each ended call to the user's own system, by way of a spool on disk."""
