"""Ask every worker through its admin socket, and the kernel for the limits that it holds it to."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from exotel_phone.exits import Refusal

from exotelctl import admin, systemctl, units
from exotelctl.doctor.facts.fact import NotSeen


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A live call, without its phone numbers, which stay on the host."""

    call_sid: str
    age_s: float
    frames_in: int
    frames_out: int
    own: bool


@dataclass(frozen=True, slots=True)
class Worker:
    """``silent`` is why it gave no answer, "" where it did, within ``answer_ms``.

    ``calls_total`` counts its calls since ``since`` (Unix seconds, 0 where it does not tell).
    ``files`` are its open descriptors and ``files_limit`` the soft limit; 0 where the process was not found.
    """

    instance: str
    silent: str = ""
    answer_ms: float = 0.0
    pid: int = 0
    calls_live: int = 0
    calls: tuple[LiveCall, ...] = ()
    files: int = 0
    files_limit: int = 0
    calls_total: int = 0
    since: float = 0.0
    crowd: str = ""
    """Source with most unproven connections or calls, and their number; "" if there is none, or the worker does not tell."""


def look() -> list[Worker]:
    """Return the workers that have an admin socket. Raises NotSeen without the right to ask."""
    try:
        sockets = admin.sockets()
    except Refusal as refused:
        raise NotSeen(str(refused), needs="root") from None
    if os.geteuid() != 0 and sockets:
        raise NotSeen("the workers' admin sockets answer root only", needs="root")
    pids = _pids()
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda instance: _ask(instance, sockets[instance], pids.get(instance, 0)), sockets))


def _pids() -> dict[str, int]:
    """Ask systemd for the main process of each worker, because a silent worker does not tell it."""
    try:
        return {unit.instance: unit.pid for unit in units.look().values()}
    except systemctl.CommandFailed:
        return {}


def _ask(instance: str, admin_socket: Path, pid: int) -> Worker:
    began = time.perf_counter()
    counted = Worker(instance, pid=pid, files=_files(pid), files_limit=_files_limit(pid))
    try:
        said = admin.parse_answer(admin.ask(admin_socket, "/status"))
    except admin.Silent as silent:
        return replace(counted, silent=str(silent), answer_ms=_since(began))
    return replace(
        counted,
        answer_ms=_since(began),
        calls_live=said.calls_live,
        calls_total=said.calls_total,
        since=said.since,
        crowd=_crowd(admin_socket),
        calls=tuple(LiveCall(call.call_sid, call.age_s, call.frames_in, call.frames_out, call.own) for call in said.calls),
    )


def _crowd(admin_socket: Path) -> str:
    """Ask the worker for the source that holds most; a worker of an older release does not know."""
    try:
        top = admin.ask(admin_socket, "/places").get("top")
    except admin.Silent:
        return ""
    if not isinstance(top, dict):
        return ""
    kinds = (("source", "count", "connections without a start"), ("call_source", "call_count", "calls without media"))
    said = [f"{top[source]} holds {top[count]} {what}" for source, count, what in kinds if top.get(source) and top.get(count)]
    return ", ".join(said)


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def _files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd")) if pid else 0
    except OSError:
        return 0


def _files_limit(pid: int) -> int:
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return 0
    soft = limits.partition("Max open files")[2].split()[:1]
    return int(soft[0]) if soft and soft[0].isdecimal() else 0
