"""Verbs that look at the server on this host and change nothing."""
