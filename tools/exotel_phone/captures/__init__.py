"""Captures of calls: the file format, the calls in a file, their replay, the comparison of two."""
