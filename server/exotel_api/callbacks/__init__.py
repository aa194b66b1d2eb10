"""Requests that Exotel makes about a call: their shapes, and what they tell."""
