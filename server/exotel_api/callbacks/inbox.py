"""Keep on disk what Exotel told, until the database has it: Exotel, and the caller behind it, wait for no database.

One file a callback, in the order of their times. It has callers' numbers, which the journal never has, as nobody can erase one
number from a journal.
"""

import contextlib
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from exotel_api.callbacks.fields import Fields
from exotel_api.callbacks.urls import address

Kind = Literal["passthru", "status"]

MOST: Final = 100_000
"""Callbacks that may wait: some hours of a busy host without its database."""
_RECOUNT_S: Final = 10.0
"""Least seconds between two counts of what waits, each of which reads the directory."""
_STREAM: Final = re.compile(r"wss?://[^\s\"'<>\\]+")


class Callback(Struct, frozen=True):
    """Request as it is kept: ``received`` in Unix seconds, ``values`` by name as sent, ``left_out`` as `Fields` has it."""

    kind: Kind
    received: float
    remote: str
    values: dict[str, str]
    left_out: int


class Full(Exception):
    """There is no place for a callback; the text says why."""


class Inbox:
    """Directory of callbacks that wait, bounded in number. Threads may share one, and processes the directory."""

    def __init__(self, directory: Path, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        self._directory = directory
        self._most = most
        self._clock = clock
        self._counting = threading.Lock()
        self._places = 0
        self._counted = float("-inf")

    def put(self, kind: Kind, fields: Fields, remote: str, received: float) -> None:
        """Keep a callback that came at ``received``, in Unix seconds; it is on the disk when this returns. Raises Full.

        Blocks for milliseconds. Of the URL of a stream only the host is kept: the rest may be a key.
        """
        values = {name: _STREAM.sub(lambda url: address(url[0]), text) for name, text in fields.values.items()}
        callback = Callback(kind, received, remote, values, fields.left_out)
        name = f"{int(received * 1e6):017d}-{secrets.token_hex(8)}"
        new = self._directory / f".{name}.new"
        try:
            with self._counting:
                self._take_place()
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.encode(callback))
                file.flush()
                os.fsync(descriptor)
            os.replace(new, self._directory / f"{name}.json")
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise Full(f"{self._directory}: {error.strerror or error}") from None

    def waiting(self) -> list[Path]:
        """Return the files of the callbacks that wait, the oldest first."""
        return sorted(self._directory.glob("[0-9]*.json"))

    def _take_place(self) -> None:
        now = self._clock()
        if self._places <= 0 and now - self._counted >= _RECOUNT_S:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._counted = now
            self._places = self._most - len(self.waiting())
        if self._places <= 0:
            raise Full(f"{self._directory} holds {self._most} callbacks that the database has not taken")
        self._places -= 1
