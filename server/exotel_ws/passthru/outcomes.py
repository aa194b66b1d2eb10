"""Store of the next applet of each call, shared by the workers of a host: any of them may be asked, also once the call's is gone.

One small file a call, in the runtime directory, which is in memory and empty after a boot. Its name is a hash, because strangers
choose call sids. A write replaces the file whole and costs some 50 µs; a fault of the directory is logged, and calls go on.
"""

import contextlib
import hashlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast, get_args

Applet = Literal["transfer", "end"]
"""Applet that follows: the one that hands the caller to somebody, or the end of the call."""

KEEP_S: Final = 7200.0
"""Seconds that an outcome is known after it was last said; a call lasts an hour at most, and Exotel asks at its end."""
MOST: Final = 20_000
"""Outcomes kept; beyond it the oldest go. In memory, a file takes 4 kB."""
_SWEEP_S: Final = 60.0
_SWEEP_AFTER: Final = 2000
"""Writes after which a sweep is due sooner."""
_APPLETS: Final = get_args(Applet)
_MOST_BYTES: Final = 16

log = logging.getLogger("exotel_ws.server")


class Outcome(NamedTuple):
    """A next applet, and the time of the word, in Unix seconds."""

    applet: Applet
    said: float


class Outcomes:
    """Next applets by call sid. The last word counts. With ``directory`` None they are this process's own. No method raises."""

    def __init__(self, directory: Path | None, clock: Callable[[], float] = time.time) -> None:
        """``clock`` returns Unix seconds."""
        self._directory = directory
        self._clock = clock
        self._own: OrderedDict[str, Outcome] = OrderedDict()
        self._swept = 0.0
        self._written = 0
        self._trouble = False

    def say(self, call_sid: str, applet: Applet) -> None:
        """Say which applet follows the stream of a call; without a call sid nobody can ask, and nothing is kept."""
        if not call_sid:
            return
        name = _name(call_sid)
        if self._directory is None:
            self._own[name] = Outcome(applet, self._clock())
            self._own.move_to_end(name)
            if len(self._own) > MOST:
                self._own.popitem(last=False)
            return
        self._written += 1
        new = self._directory / f".{name}.{os.getpid()}"
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(applet)
            now = self._clock()
            os.utime(new, (now, now))
            os.replace(new, self._directory / name)
            self._trouble = False
        except OSError as error:
            if not self._trouble:
                log.error("what follows a call can't be kept in %s: %s", self._directory, error.strerror or error)
            self._trouble = True
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)

    def of(self, call_sid: str) -> Applet | None:
        """Return the applet that follows the call's stream; None if nothing was said of it within `KEEP_S`."""
        name = _name(call_sid)
        found = self._own.get(name) if self._directory is None else _read(self._directory / name)
        return found.applet if found and self._clock() - found.said <= KEEP_S else None

    @property
    def due(self) -> bool:
        """Return True if it is time to `sweep`."""
        return self._directory is not None and (
            self._written >= _SWEEP_AFTER or (self._written > 0 and self._clock() - self._swept >= _SWEEP_S)
        )

    def sweep(self) -> None:
        """Remove what is too old, and the oldest above `MOST`. Blocks for some milliseconds: not for the loop's thread."""
        self._swept, self._written = self._clock(), 0
        if self._directory is None:
            return
        kept: list[tuple[float, str]] = []
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # another worker sweeps too
                        kept.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        except OSError:
            return
        kept.sort()
        old = self._clock() - KEEP_S
        for number, (said, path) in enumerate(kept):
            if said >= old and len(kept) - number <= MOST:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)


def _name(call_sid: str) -> str:
    return hashlib.sha256(call_sid.encode(errors="surrogatepass")).hexdigest()[:32]


def _read(path: Path) -> Outcome | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            text = file.read(_MOST_BYTES).decode("ascii", "replace")
            said = os.fstat(descriptor).st_mtime
    except OSError:
        return None
    return Outcome(cast(Applet, text), said) if text in _APPLETS else None
