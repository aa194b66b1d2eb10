"""One deploy at a time on a host, and a second one is told whose turn it is."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Locked(Exception):
    """Somebody else holds the deploy lock; the message names them."""


@contextmanager
def deploy_lock(path: Path, holder: str) -> Iterator[None]:
    """Hold the lock while the block runs. `holder` says who and what, for others to read.

    Raises Locked at once when it is taken. The kernel frees it with the process, so it is never left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Locked(f"another deploy is under way on this host: {file.read().strip()}. Try again after it") from None
        file.truncate(0)
        file.write(f"{holder}, since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")
        file.flush()
        yield
        file.truncate(0)
