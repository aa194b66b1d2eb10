"""Who asks, as the deploy lock and the audit file name them."""

import socket

from exotelctl.port import receipt


def requester() -> str:
    """``person@host``, the person behind sudo where there is one."""
    return f"{receipt.who()}@{socket.gethostname()}"
