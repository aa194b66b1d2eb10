"""Companion of the voice server, on 8009: it answers what Exotel asks over HTTP."""
