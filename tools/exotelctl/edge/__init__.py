"""The edge of this host, HAProxy in front of the server: what it is set to do, what it does, and who it keeps out."""
