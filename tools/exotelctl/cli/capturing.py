"""Verbs about the messages of calls: record, play again, compare, watch."""
