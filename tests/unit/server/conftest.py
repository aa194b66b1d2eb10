"""Fixtures of all tests of the server."""

from .legal_phases import legal_phases

__all__ = ["legal_phases"]
