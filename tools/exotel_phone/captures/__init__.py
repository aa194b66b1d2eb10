"""Captures of calls: the file format, what a call in one was, playing it again, comparing two."""
