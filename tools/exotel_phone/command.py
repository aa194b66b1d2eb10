"""Quote every suggested command with a value in it, because people paste such commands into a root shell."""

import shlex
from typing import Final

from exotel_phone.text import printable

NAMESPACE: Final = "exotel-ws"
"""The journal namespace of the workers' units."""
JOURNAL: Final = ("journalctl", f"--namespace=+{NAMESPACE}")
"""journalctl for the server's own journal, whose floods push out nobody else's lines, together with the host's."""
_MOST: Final = 300
"""Most characters of one argument; a unit's name has at most 255."""


def command(*argv: str | int, note: str = "") -> str:
    """Return shell text that runs exactly ``argv``, whatever characters a name in it has; ``note`` follows as a comment.

    A control, escape or direction character is spelled out (``\\x1b``): such an argument then names nothing, and does no harm.
    """
    words = " ".join(argument(word) for word in argv)
    return f"{words}  # {printable(note)}" if note else words


def journal(*argv: str | int) -> str:
    """Return a journalctl command with these arguments, over the server's lines and systemd's lines about its units."""
    return command(*JOURNAL, *argv)


def argument(word: str | int) -> str:
    """Return ``word`` as one argument of a shell command."""
    return shlex.quote(printable(str(word), _MOST))


def of_units(verb: str, *units: str, user: bool = False) -> str:
    """Return the systemctl command that does ``verb`` to ``units``; a name that begins with a dash is no option."""
    manager = ("systemctl", "--user") if user else ("systemctl",)
    return command(*manager, verb, *(("--",) if any(unit.startswith("-") for unit in units) else ()), *units)
