"""Entries in the host's journal for every clean-up, before and after, so that a post-mortem finds who ended what.

$ journalctl EVENT=port_clean -o verbose
"""

import os
import socket
from pathlib import Path
from typing import Final

Receipt = dict[str, str]
"""An entry by journal field. No value has a line break: what other programs wrote was made printable."""

JOURNAL: Final = Path("/run/systemd/journal/socket")
SYSLOG: Final = Path("/dev/log")
_NOTICE: Final = 5
_USER_NOTICE: Final = 1 * 8 + _NOTICE


def write(receipt: Receipt, *, journal: Path = JOURNAL, syslog: Path = SYSLOG) -> bool:
    """Send ``receipt`` with all its fields to the journal, else its text to syslog.

    False where there is neither; that stops nothing.
    """
    fields = {"PRIORITY": str(_NOTICE), "SYSLOG_IDENTIFIER": "exotelctl", "SYSLOG_PID": str(os.getpid()), **receipt}
    native = "".join(f"{name}={value}\n" for name, value in fields.items())
    return _send(native, journal) or _send(f"<{_USER_NOTICE}>exotelctl[{os.getpid()}]: {receipt['MESSAGE']}", syslog)


def _send(text: str, to: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.settimeout(1.0)
            log.sendto(text.encode(), str(to))
    except OSError:
        return False
    return True
