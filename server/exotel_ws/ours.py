"""Recognises the operator's own test calls, by a token that only this host's root can make.

Such calls tell nothing about Exotel: the doctor does not judge them, and their deliberate faults are no warnings. Numbers or
sids would not do: a stranger who used them would be invisible. So the workers of a host share a key in a file; who may read it,
root, shows a token made with it in a header of the handshake. A token is ``<Unix seconds>.<HMAC-SHA256 of them, hexadecimal>``
and is good for `VALID_S`. `exotel_phone.call_token` makes them.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HEADER: Final = "X-Exotelctl-Call"
KEY_FILE: Final = "test-call-key"
"""File name of the key, in the directory of the workers' admin sockets."""
VALID_S: Final = 900.0
_KEY_BYTES: Final = 32


class TestCalls:
    """Recognises test calls by the host's ``key``; with None, no call is ours."""

    __test__ = False  # not a class of tests for pytest

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key

    @classmethod
    def of_host(cls, directory: Path) -> "TestCalls":
        """Read the key of the host's workers, or make it as the first of them; go without where neither is possible."""
        path = directory / KEY_FILE
        new = directory / f".{KEY_FILE}-{secrets.token_hex(8)}"
        try:
            if not path.exists():
                with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                    file.write(secrets.token_bytes(_KEY_BYTES))
                with contextlib.suppress(FileExistsError):  # another worker was first
                    os.link(new, path)
            key = path.read_bytes()
        except OSError:
            return cls()
        finally:
            new.unlink(missing_ok=True)
        return cls(key if len(key) == _KEY_BYTES else None)

    def include(self, headers: Mapping[str, str], now: float | None = None) -> bool:
        """Return True if the headers hold a token of this host that is still good; ``now`` in Unix seconds."""
        token = headers.get(HEADER)
        if self._key is None or not token or len(token) > 100:
            return False
        at, _, shown = token.partition(".")
        if not (at.isascii() and at.isdecimal()) or abs((time.time() if now is None else now) - int(at)) > VALID_S:
            return False
        made = hmac.new(self._key, at.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), shown.encode(errors="replace"))
