"""Every worker asked through its admin socket, and the limits that the kernel holds it to."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from exotel_phone.exits import Refusal

from exotelctl import instances, systemctl
from exotelctl.doctor.facts.fact import NotSeen


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call that goes on at this moment. Numbers stay on the host."""

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
        sockets = instances.sockets()
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
        shown = systemctl.show(["exotel-ws@*.service"], ["MainPID"])
    except systemctl.CommandFailed:
        return {}
    return {name.partition("@")[2].removesuffix(".service"): int(values.get("MainPID") or 0) for name, values in shown.items()}


def _ask(instance: str, admin_socket: Path, pid: int) -> Worker:
    began = time.perf_counter()
    counted = Worker(instance, pid=pid, files=_files(pid), files_limit=_files_limit(pid))
    try:
        said = instances.ask(admin_socket, "/status")
    except instances.Silent as silent:
        return replace(counted, silent=str(silent), answer_ms=_since(began))
    return replace(
        counted,
        answer_ms=_since(began),
        calls_live=int(said.get("calls_live", 0)),
        calls_total=int(said.get("calls_total", 0)),
        since=_moment(said.get("since")),
        crowd=_crowd(admin_socket),
        calls=tuple(_call(call) for call in said.get("calls", ())),
    )


def _moment(said: object) -> float:
    try:
        return datetime.fromisoformat(str(said)).timestamp()
    except ValueError:
        return 0.0


def _crowd(admin_socket: Path) -> str:
    """Ask the worker for the source that holds most; a worker of an older release does not know."""
    try:
        top = instances.ask(admin_socket, "/places").get("top")
    except instances.Silent:
        return ""
    if not isinstance(top, dict):
        return ""
    kinds = (("source", "count", "connections without a start"), ("call_source", "call_count", "calls without media"))
    said = [f"{top[source]} holds {top[count]} {what}" for source, count, what in kinds if top.get(source) and top.get(count)]
    return ", ".join(said)


def _call(said: dict[str, object]) -> LiveCall:
    return LiveCall(
        call_sid=str(said.get("call_sid", "")),
        age_s=float(str(said.get("age_s", 0))),
        frames_in=int(str(said.get("frames_in", 0))),
        frames_out=int(str(said.get("frames_out", 0))),
        own=said.get("ours") is True,
    )


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
