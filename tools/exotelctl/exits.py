"""The exit codes of every verb, and the one exception that ends a verb before it has done anything."""

from enum import IntEnum


class Exit(IntEnum):
    """What a verb's exit code says."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    REFUSED = 3


class UsageFault(Exception):
    """Input that no verb can work with. The text says what was wrong and what to type instead; ends with exit code 2."""
