"""Prove that the journals store new lines: those of the doctor's own call, and one that it writes itself.

journalctl reads files. If journald is stopped, stores nothing, or writes into deleted files, the old files look like a
quiet host. Only finding a line that was just written proves that none is lost.
"""

import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotel_phone.command import NAMESPACE
from exotel_phone.exits import Refusal

from exotelctl import journal, systemctl
from exotelctl.doctor.facts import shell
from exotelctl.doctor.facts.call import Answers
from exotelctl.doctor.facts.fact import Fact, NotSeen
from exotelctl.doctor.facts.workers import Worker

HOST_JOURNALD: Final = "systemd-journald.service"
WORKERS_JOURNALD: Final = f"systemd-journald@{NAMESPACE}.service"
_SOCKET: Final = Path("/run/systemd/journal/socket")
_SYNC_S: Final = 1.0
_TRIES: Final = 4
_PAUSE_S: Final = 0.1
_MARK: Final = "EXOTELCTL_DOCTOR"


@dataclass(frozen=True, slots=True)
class Silence:
    """Worker that has counted ``calls`` since ``since`` (Unix seconds) while the journal has no line of them."""

    instance: str
    calls: int
    since: float


@dataclass(frozen=True, slots=True)
class Log:
    """Lines written, compared with the lines that the journals have.

    ``call_sid`` names the doctor's own call, "" where it came to none; ``call_written`` says that the journal has lines of it,
    ``mark_written`` that the host's journal has the line that the doctor sent to it. ``states`` are the journald units' states,
    ``store_nothing`` those of them that are set to Storage=none.
    """

    call_sid: str = ""
    call_written: bool = False
    mark_written: bool = True
    silent: tuple[Silence, ...] = ()
    states: tuple[tuple[str, ...], ...] = ()
    store_nothing: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """Return the journald units whose lines are lost, the workers' first."""
        workers = bool(self.call_sid and not self.call_written) or bool(self.silent)
        return (*([WORKERS_JOURNALD] if workers else []), *([] if self.mark_written else [HOST_JOURNALD]))


def look(loopback: Callable[[], Fact[Answers]], workers: Callable[[], Fact[list[Worker]]]) -> Log:
    """Wait for the doctor's own call and the workers' counters, then read the journals. Raises NotSeen without the right."""
    shell.require_root("whether the journals take new lines")
    mark = secrets.token_hex(8)
    _send(mark)
    answers, known = loopback().value, workers().value or []
    call = answers.echo.call_sid if answers and answers.echo else ""
    for namespace in ((), (f"--namespace={NAMESPACE}",)):
        with contextlib.suppress(NotSeen):  # a journald that is stopped cannot sync, which the lines tell
            shell.ask("journalctl", "--sync", *namespace, timeout_s=_SYNC_S)
    try:
        return Log(
            call_sid=call,
            call_written=bool(call) and _found([f"CALL_SID={call}"]),
            mark_written=_found([f"{_MARK}={mark}"]),
            silent=tuple(_silent(known)),
            states=tuple(_states()),
            store_nothing=tuple(_store_nothing()),
        )
    except Refusal as refused:
        raise NotSeen(str(refused), needs=shell.root()) from None


def _send(mark: str, to: Path = _SOCKET) -> None:
    """Write one line to the host's journal; its absence later shows that journald does not listen, or is stuck."""
    text = f"MESSAGE=exotelctl doctor looks whether this line is kept\nPRIORITY=5\nSYSLOG_IDENTIFIER=exotelctl\n{_MARK}={mark}\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.setblocking(False)
        sender.sendto(text.encode(), str(to))


def _found(matches: list[str]) -> bool:
    """Look for the line a few times, in case journald could not be told to sync and the line is late."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S)
        if _any(matches):
            return True
    return False


def _any(matches: list[str], since: str | None = None) -> bool:
    with contextlib.closing(journal.read(units=(), matches=matches, since=since, lines=1, only=("MESSAGE",))) as entries:
        return next(entries, None) is not None


def _silent(workers: Iterable[Worker]) -> Iterable[Silence]:
    """Yield workers whose calls left no line, except those older than the journal, whose lines may have been rotated out."""
    begins: float | None = None
    for worker in workers:
        if not (worker.calls_total and worker.since):
            continue
        if begins is None:
            begins = journal.starts()
        unit = f"_SYSTEMD_UNIT=exotel-ws@{worker.instance}.service"
        older = begins is None or begins <= worker.since
        if older and not _any([unit, journal.of_event("start"), journal.of_event("close")], since=f"@{worker.since - 1:.0f}"):
            yield Silence(worker.instance, worker.calls_total, worker.since)


def _states() -> Iterable[tuple[str, str]]:
    try:
        shown = systemctl.show([HOST_JOURNALD, WORKERS_JOURNALD], ["ActiveState"])
    except systemctl.CommandFailed:
        return
    yield from ((unit, values.get("ActiveState", "")) for unit, values in shown.items())


def _store_nothing() -> Iterable[str]:
    for unit, file in ((HOST_JOURNALD, "systemd/journald.conf"), (WORKERS_JOURNALD, f"systemd/journald@{NAMESPACE}.conf")):
        with contextlib.suppress(NotSeen):
            if stored(shell.ask("systemd-analyze", "cat-config", file, timeout_s=_SYNC_S)) == "none":
                yield unit


def stored(config: str) -> str:
    """Return the effective value of Storage= in a configuration and its drop-ins; "" where none is set."""
    lines = (line.strip().partition("=") for line in config.splitlines())
    values = [value.strip().lower() for name, _, value in lines if name.strip() == "Storage"]
    return values[-1] if values else ""
