"""Gather the facts for `status`. Every wait is bounded; what this user may not see is named instead of left out."""

import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from exotel_phone.exits import Refusal, UsageFault

from exotelctl import audit, boot, instances, moved, systemctl
from exotelctl.host_settings import DEFAULT_PORT, load
from exotelctl.port.gather import gather as gather_port
from exotelctl.port.plan import PortPlan, plan
from exotelctl.privileges import OF_ROOT, is_root, lacking
from exotelctl.status.facts import Answer, Call, Facts, Generation, Unit, Worker
from exotelctl.status.usage import Meter

_ETC: Final = Path("/etc/exotel-ws")
_SOCKET: Final = "exotel-ws.socket"
_WORKERS: Final = "exotel-ws@*.service"
_ASKED: Final = ("ActiveState", "SubState", "LoadState", "Result", "MainPID", "NRestarts", "StateChangeTimestampMonotonic")
_RUNS: Final = ("active", "reloading", "deactivating")
_SAMPLE_S: Final = 0.5
"""The shortest time to measure CPU over; a kernel counts it in 10 ms."""


def gather(settings: Path, meter: Meter) -> Facts:
    """Return the facts of this moment. Raises Refusal if systemd does not answer."""
    began = time.monotonic()
    units = _units()
    pids = [unit.pid for unit in units.values() if unit.pid]
    fresh = [meter.begin(pid) for pid in pids]
    unseen: list[str] = []
    workers = _ask(units, unseen)
    port = _port(settings, unseen)
    holders = _holders(port, unseen)
    if any(fresh):
        time.sleep(max(0.0, began + _SAMPLE_S - time.monotonic()))
    current = _current()
    return Facts(
        host=os.uname().nodename,
        at=time.time(),
        current=current,
        generations=_generations(),
        socket=units.get(_SOCKET),
        workers=tuple(
            Worker(name, unit, *workers.get(name, (None, "")), meter.read(unit.pid) if unit.pid else None)
            for name, unit in _instances(units).items()
        ),
        port=port,
        holders=holders,
        deploy=_deploy(unseen),
        unseen=tuple(unseen),
        as_root=is_root(),
        lacks=lacking(*OF_ROOT) if is_root() else (),
        maintenance=boot.maintenance(),
        enabled=boot.enabled(),
        moved=str(moved.look(time.time()) or ""),
    )


def parse_unit(said: Mapping[str, str], monotonic: float) -> Unit:
    """Return a unit from ``systemctl show``, at ``monotonic`` on systemd's clock."""
    changed = int(said.get("StateChangeTimestampMonotonic") or 0)
    return Unit(
        name=said["Id"],
        active=said.get("ActiveState", ""),
        sub=said.get("SubState", ""),
        result=said.get("Result", ""),
        pid=int(said.get("MainPID") or 0),
        age_s=max(0.0, monotonic - changed / 1e6) if changed else None,
        restarts=int(said.get("NRestarts") or 0),
    )


def parse_answer(said: Mapping[str, Any]) -> Answer:
    """Return the answer of a worker's admin socket; a field that an older release lacks stays empty."""
    return Answer(
        state=str(said.get("state", "")),
        release=str(said.get("release", "")),
        calls_total=int(said.get("calls_total", 0)),
        connections=int(said.get("connections", 0)),
        calls=tuple(_call(call) for call in said.get("calls", ())),
        unlisted=int(said.get("calls_unlisted", 0)),
    )


def parse_generation(name: str, said: Mapping[str, Any], served: str) -> Generation:
    """Return a generation from its ``generation.json`` and its mark ``served``, a time in UTC or ""."""
    since = datetime.fromisoformat(served.strip()).timestamp() if served.strip() else None
    return Generation(name, str(said.get("release", "")), int(said.get("workers", 0)), since)


def _call(said: Mapping[str, Any]) -> Call:
    last, answered = said.get("last_event_age_s"), said.get("voice_to_voice_ms")
    return Call(
        call_sid=str(said.get("call_sid", "")),
        stream_sid=str(said.get("stream_sid", "")),
        conn_id=str(said.get("conn_id", "")),
        caller=str(said.get("from", "")),
        called=str(said.get("to", "")),
        age_s=float(said.get("age_s", 0)),
        frames_in=int(said.get("frames_in", 0)),
        frames_out=int(said.get("frames_out", 0)),
        last_event=str(said.get("last_event", "")),
        last_event_age_s=None if last is None else float(last),
        state=str(said.get("state", "")),
        turns=int(said.get("turns", 0)),
        voice_to_voice_ms=None if answered is None else float(answered),
    )


def _units() -> dict[str, Unit]:
    try:
        shown = systemctl.show([_SOCKET, _WORKERS], _ASKED)
    except systemctl.CommandFailed as failed:
        raise Refusal(f"systemd does not answer: {failed}") from None
    now = time.monotonic()
    return {name: parse_unit(said, now) for name, said in shown.items() if said.get("LoadState") != "not-found"}


def _instances(units: Mapping[str, Unit]) -> dict[str, Unit]:
    """Return the workers' units by instance, those of the newest generation first."""
    names = sorted((name for name in units if name != _SOCKET), reverse=True)
    found = {name.partition("@")[2].removesuffix(".service"): units[name] for name in names}
    return dict(sorted(found.items(), key=lambda item: item[0].rpartition("-")[0], reverse=True))


def _ask(units: Mapping[str, Unit], unseen: list[str]) -> dict[str, tuple[Answer | None, str]]:
    """Ask each running worker, all at once, and return its answer or why there is none."""
    running = [name for name, unit in _instances(units).items() if unit.active in _RUNS]
    try:
        known = instances.sockets()
    except Refusal:
        unseen.append("live calls and whether the workers answer")
        return {}
    with ThreadPoolExecutor(max_workers=16) as pool:
        return dict(zip(running, pool.map(lambda name: _answer(known.get(name)), running), strict=True))


def _answer(admin_socket: Path | None) -> tuple[Answer | None, str]:
    if admin_socket is None:
        return None, "has no admin socket"
    try:
        return parse_answer(instances.ask(admin_socket, "/status")), ""
    except instances.Silent as silent:
        return None, str(silent).removeprefix(f"{admin_socket.name} ")
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return None, f"answers what this command does not understand: {error}"


def _port(settings: Path, unseen: list[str]) -> int:
    """Return the call port; where nothing is deployed, or the settings tell none, the default one."""
    try:
        return load(settings).port
    except UsageFault as fault:
        if settings.exists():
            unseen.append(f"the port in use ({fault})")
        return DEFAULT_PORT


def _holders(port: int, unseen: list[str]) -> PortPlan:
    facts = gather_port(port)
    if facts.ownerless and (facts.lacks or not facts.as_root):
        unseen.append(f"who holds port {port}")
    return plan(facts, force=False)


def _current() -> str:
    try:
        return (_ETC / "current").readlink().name
    except OSError:
        return ""


def _generations() -> dict[str, Generation]:
    found = {}
    for file in (_ETC / "generations").glob("*/generation.json"):
        try:
            served = file.with_name("served")
            text = served.read_text() if served.exists() else ""
            found[file.parent.name] = parse_generation(file.parent.name, json.loads(file.read_text()), text)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # Being removed, or not what we write: no generation.
            continue
    return found


def _deploy(unseen: list[str]) -> audit.Action | None:
    try:
        return audit.last()
    except PermissionError:
        unseen.append("the last deploy")
        return None
