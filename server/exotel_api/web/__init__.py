"""HTTP of the companion."""
