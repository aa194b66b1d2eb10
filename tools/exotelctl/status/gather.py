"""Gather the facts for `status`. Every wait is bounded; what this user may not see is named instead of left out."""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, Paths, generation_of
from exotel_phone.exits import Refusal, UsageFault

from exotelctl import admin, audit, boot, generations, systemctl, units
from exotelctl.admin import Answer, parse_answer
from exotelctl.edge import config
from exotelctl.edge.facts import Edge, look_at_unit
from exotelctl.host_settings import DEFAULT_PORT, load
from exotelctl.port.gather import gather as gather_port
from exotelctl.port.plan import PortPlan, plan
from exotelctl.privileges import OF_ROOT, is_root, lacking
from exotelctl.status.facts import Facts, Worker
from exotelctl.status.usage import Meter
from exotelctl.units import Unit

_RUNS: Final = ("active", "reloading", "deactivating")
_SAMPLE_S: Final = 0.5
"""The shortest time to measure CPU over; a kernel counts it in 10 ms."""


def gather(settings: Path, meter: Meter) -> Facts:
    """Return the facts of this moment. Raises Refusal if systemd does not answer."""
    began = time.monotonic()
    found = _units()
    pids = [unit.pid for unit in found.values() if unit.pid]
    fresh = [meter.begin(pid) for pid in pids]
    unseen: list[str] = []
    workers = _ask(found, unseen)
    port = _port(settings, unseen)
    holders = _holders(port, unseen)
    if any(fresh):
        time.sleep(max(0.0, began + _SAMPLE_S - time.monotonic()))
    known, edge = generations.load(), _edge(unseen)
    return Facts(
        host=os.uname().nodename,
        at=time.time(),
        current=_current(),
        generations=known,
        socket=found.get(SOCKET),
        workers=tuple(
            Worker(name, unit, *workers.get(name, (None, "")), meter.read(unit.pid) if unit.pid else None)
            for name, unit in _instances(found).items()
        ),
        port=port,
        holders=holders,
        deploy=_deploy(unseen),
        unseen=tuple(unseen),
        as_root=is_root(),
        lacks=lacking(*OF_ROOT) if is_root() else (),
        maintenance=boot.maintenance(),
        enabled=boot.enabled(),
        moved=generations.address_change(known.values(), time.time()),
        edge=edge,
    )


def _units() -> dict[str, Unit]:
    try:
        return units.look()
    except systemctl.CommandFailed as failed:
        raise Refusal(f"systemd does not answer: {failed}") from None


def _instances(found: Mapping[str, Unit]) -> dict[str, Unit]:
    """Return the workers' units by instance, those of the newest generation first."""
    workers = sorted((unit for unit in found.values() if unit.instance), key=lambda unit: unit.name, reverse=True)
    return {unit.instance: unit for unit in sorted(workers, key=lambda unit: generation_of(unit.instance), reverse=True)}


def _ask(found: Mapping[str, Unit], unseen: list[str]) -> dict[str, tuple[Answer | None, str]]:
    """Ask each running worker, all at once, and return its answer or why there is none."""
    running = [name for name, unit in _instances(found).items() if unit.active in _RUNS]
    try:
        known = admin.sockets()
    except Refusal:
        unseen.append("live calls and whether the workers answer")
        return {}
    with ThreadPoolExecutor(max_workers=16) as pool:
        return dict(zip(running, pool.map(lambda name: _answer(known.get(name)), running), strict=True))


def _answer(admin_socket: Path | None) -> tuple[Answer | None, str]:
    if admin_socket is None:
        return None, "has no admin socket"
    try:
        return parse_answer(admin.ask(admin_socket, "/status")), ""
    except admin.Silent as silent:
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


def _edge(unseen: list[str]) -> Edge:
    try:
        return look_at_unit()
    except config.Unusable as unusable:
        unseen.append(f"the edge ({unusable})")
        return Edge()


def _current() -> str:
    try:
        return Paths().current.readlink().name
    except OSError:
        return ""


def _deploy(unseen: list[str]) -> audit.Action | None:
    try:
        return audit.last_deploy()
    except PermissionError:
        unseen.append("the last deploy")
        return None
