"""Listening measured: what callers with voices and sentences of their own are answered, over lines that are not clean."""
