"""Record which credential was shown where and when last, in a file that the workers of a host share.

An operator who rotates keys reads in it when an old one may go. A use is counted in memory, which costs a call nothing; each
`EVERY_S`, and at the end, a thread merges the counts into the file under a lock. The file holds fingerprints, never a key.
Whatever is wrong with it is logged, and calls go on.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from exotel_ws.handshake import Credentials, Known, Place, Use

EVERY_S: Final = 10.0
MOST_KEYS: Final = 200
"""Keys in the file; beyond it, those that were retired first are forgotten first."""
_MOST_BYTES: Final = 1024 * 1024
"""Bytes of a file that is read; 200 keys have 80 kB."""
_LOCK_S: Final = 1.0
"""Seconds to wait for a worker that holds the lock; it does so for milliseconds."""
_FINISH_S: Final = 10.0

_Count = Annotated[int, Meta(ge=0)]

log = logging.getLogger("exotel_ws.server")


class Uses(Struct):
    """Uses of a key at one place; ``last`` in Unix seconds."""

    count: _Count = 0
    last: int = 0


class Key(Struct):
    """One credential, by its name. ``retired`` is the time at which a server was first started without it (Unix seconds).

    ``token`` is the fingerprint of the token alone, by which it is recognised where no user is shown.
    """

    name: str
    since: int
    retired: int | None = None
    token: str = ""
    places: dict[Place, Uses] = {}


class Book(Struct):
    """The whole file: keys by their fingerprints."""

    keys: dict[str, Key] = {}


def merge(book: Book, known: Mapping[str, Known], uses: Mapping[tuple[str, Place], Uses], now: int, *, serving: bool) -> None:
    """Bring ``book`` up to date: the keys that are ``known``, and the new ``uses`` by fingerprint and place.

    Only a worker that is ``serving`` says which keys are good: one that drains may still have those that were retired.
    """
    for fingerprint, key in known.items():
        mine = book.keys.setdefault(fingerprint, Key(key.name, now))
        mine.name, mine.token = key.name, key.token
        mine.retired = None if serving else mine.retired
    if serving:
        for gone in (book.keys[fingerprint] for fingerprint in book.keys.keys() - known.keys()):
            gone.retired = gone.retired or now
    for (fingerprint, place), new in uses.items():
        if fingerprint in book.keys:
            whole = book.keys[fingerprint].places.setdefault(place, Uses())
            whole.count += new.count
            whole.last = max(whole.last, new.last)
    order = sorted(
        book.keys, key=lambda name: (book.keys[name].retired is None, book.keys[name].retired or book.keys[name].since)
    )
    for fingerprint in order[: max(0, len(order) - MOST_KEYS)]:
        del book.keys[fingerprint]


class KeyUsage:
    """Keeper of the file for one worker. It is told of uses by ``credentials``, and tells them which keys are retired."""

    def __init__(self, credentials: Credentials, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._path = path
        self._clock = clock
        self._uses: dict[tuple[str, Place], Uses] = {}
        self._over = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._trouble = False
        credentials.on_use = self._note

    def start(self, serving: Callable[[], bool]) -> None:
        """Begin to keep the file; ``serving`` tells if this worker takes new calls."""
        self._keeping = asyncio.create_task(self._keep(serving))

    async def finish(self) -> None:
        """Write what is left, for `_FINISH_S` at most. Idempotent."""
        self._over.set()
        if self._keeping is not None:
            await asyncio.wait({self._keeping}, timeout=_FINISH_S)

    def _note(self, use: Use) -> None:
        uses = self._uses.setdefault((use.fingerprint, use.place), Uses())
        uses.count += 1
        uses.last = int(self._clock())

    async def _keep(self, serving: Callable[[], bool]) -> None:
        while not self._over.is_set():
            await self._write(serving=serving())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._over.wait()
        await self._write(serving=False)

    async def _write(self, *, serving: bool) -> None:
        uses, self._uses = self._uses, {}
        try:
            await asyncio.to_thread(self._merge, uses, serving=serving)
            self._trouble = False
        except OSError as error:
            for place, missed in uses.items():
                later = self._uses.setdefault(place, Uses())
                later.count += missed.count
                later.last = max(later.last, missed.last)
            if not self._trouble:
                log.error("the use of keys can't be recorded in %s: %s; calls go on", self._path, error.strerror or error)
            self._trouble = True

    def _merge(self, uses: Mapping[tuple[str, Place], Uses], *, serving: bool) -> None:
        """Tell the credentials which keys are retired, then merge ``uses`` into the file. Raises OSError."""
        with _locked(self._path.with_name(f"{self._path.name}.lock")):
            book = self._read()
            before = msgspec.json.encode(book)
            merge(book, self._credentials.known, uses, int(self._clock()), serving=serving)
            after = msgspec.json.encode(book)
            retired = [(fingerprint, key.token) for fingerprint, key in book.keys.items() if key.retired is not None]
            self._credentials.retired = frozenset(text for texts in retired for text in texts if text)
            if after != before:
                new = self._path.with_name(f".{self._path.name}.new")
                new.touch(mode=0o600)
                new.write_bytes(after)
                new.replace(self._path)

    def _read(self) -> Book:
        """Return what the file holds; if it can't be read, put it aside and begin a new one. Raises OSError."""
        try:
            with self._path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
            if len(data) > _MOST_BYTES:
                raise ValueError(f"more than {_MOST_BYTES} bytes")
            return msgspec.json.decode(data, type=Book)
        except FileNotFoundError:
            return Book()
        except (OSError, ValueError) as error:
            aside = self._path.with_name(f"{self._path.name}.broken")
            self._path.replace(aside)
            log.error("%s can't be read (%s): it is %s now, and the use of keys is counted afresh", self._path, error, aside.name)
            return Book()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock that all workers of the host take in turn. Raises OSError."""
    until = time.monotonic() + _LOCK_S
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(f"{path.name} is held by another process") from None
                time.sleep(0.02)
        yield
