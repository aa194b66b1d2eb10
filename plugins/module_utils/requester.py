"""Name who asks for an action, for the deploy lock and the audit file of a host."""

from __future__ import annotations

import getpass
import os
import socket


def person() -> str:
    """Return the name of the user who typed the command, also behind sudo; a user without a name by number."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def requester() -> str:
    """Return ``person@machine``."""
    return f"{person()}@{socket.gethostname()}"
