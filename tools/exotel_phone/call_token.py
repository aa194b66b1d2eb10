"""Mark this tool's calls as the operator's test calls, so that they are not judged as Exotel's.

A token of the host goes along in the handshake (`exotel_ws.ours` checks it). On the host, root makes one with the workers' key;
elsewhere it comes in the environment: the playbooks fetch one from the host. A call without one counts as a stranger's.
"""

import hashlib
import hmac
import os
import re
import time
from pathlib import Path
from typing import Final

HEADER: Final = "X-Exotelctl-Call"
KEY: Final = Path("/run/exotel-ws/test-call-key")
VARIABLE: Final = "EXOTELCTL_TEST_CALL_TOKEN"
_TOKEN: Final = re.compile(r"[0-9]{1,12}\.[0-9a-f]{64}")


def make(key: bytes, now: float) -> str:
    """Return a token made with ``key`` at ``now`` (Unix seconds)."""
    at = str(int(now))
    return f"{at}.{hmac.new(key, at.encode(), hashlib.sha256).hexdigest()}"


def token(key: Path = KEY) -> str:
    """Return the environment's token, else a new one if this host's key can be read; empty if neither is there."""
    given = os.environ.get(VARIABLE, "").strip()
    if _TOKEN.fullmatch(given):
        return given
    try:
        return make(key.read_bytes(), time.time())
    except OSError:
        return ""


def headers() -> dict[str, str]:
    """Return the handshake's headers that mark a test call; none without a token."""
    shown = token()
    return {HEADER: shown} if shown else {}
