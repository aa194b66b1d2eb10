"""Define the exit codes of every verb, and the exceptions that end a verb before it has done anything."""

from enum import IntEnum


class Exit(IntEnum):
    """Meaning of a verb's exit code; 2 is wrong usage, which ends with a `UsageFault`."""

    OK = 0
    PROBLEM = 1
    REFUSED = 3


class UsageFault(Exception):
    """Raised for input that a verb cannot use. The text says what was wrong and what to type instead; exit code 2."""


class Refusal(Exception):
    """Raised if the verb cannot be carried out here or by this user: no root, no systemd, another host.

    The text is one line that says what to do instead; nothing was changed; ends with exit code 3.
    """
