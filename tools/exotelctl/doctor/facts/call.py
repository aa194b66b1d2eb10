"""Look at one address from where this runs, or at this host's own: ``/health``, ``/ready``, and a simulated call of a second."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exotel_phone.audio import frames, speech_like
from exotel_phone.exits import UsageFault
from exotel_phone.http_request import Answer, get
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import Target, parse
from exotel_phone.text import printable

from exotelctl.doctor.facts.deployment import CREDENTIALS, Deployment
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.host_settings import reached_at

ASK_S = 2.0
CALL_S = 1.0


@dataclass(frozen=True, slots=True)
class Http:
    """An HTTP answer, or the trouble that came instead."""

    status: int = 0
    body: str = ""
    ms: float = 0.0
    trouble: Fault | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """Result of the simulated call; ``faults`` are the first messages that Exotel could not have used.

    ``call_sid`` is its name in the journal, "" where it was not placed; ``round_trip_ms`` is the median.
    """

    trouble: Fault | None = None
    frames_sent: int = 0
    frames_received: int = 0
    frames_lost: int = 0
    bytes_received: int = 0
    bit_exact: bool = False
    difference: int | None = None
    closed_early: str = ""
    faults: tuple[str, ...] = ()
    fault_count: int = 0
    round_trip_ms: float = 0.0
    call_sid: str = ""
    round_trip_p95_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that one address answered. ``echo`` is None where no call was tried, for nothing answered before."""

    url: str
    health: Http
    ready: Http | None = None
    echo: Echo | None = None


def look(target: Target, *, rate: int = 8000, ask_s: float = ASK_S, call_s: float = CALL_S) -> Answers:
    """Ask ``target`` as Exotel would, in a call of ``call_s`` seconds. Wait at most ``ask_s`` seconds for each answer."""
    return asyncio.run(_look(target, rate, ask_s, call_s))


def look_here(deployment: Deployment, credentials: Path = CREDENTIALS) -> Answers:
    """Ask the port deployed on this host. Raises NotSeen where streams need a credential that this user may not read."""
    try:
        credential = parse("ws://here", credentials).credential if deployment.asks_credential else None
    except UsageFault as fault:
        raise NotSeen(f"streams must show a credential: {fault}", needs="root") from None
    path = next(iter(deployment.paths), "")
    return look(Target(False, reached_at(deployment.host), deployment.port, path, "sample-rate=8000", credential))


async def _look(target: Target, rate: int, ask_s: float, call_s: float) -> Answers:
    health = await http(target, "/health", ask_s)
    if health.trouble:
        return Answers(target.shown, health)
    return Answers(target.shown, health, await http(target, "/ready", ask_s), await echo(target, rate, ask_s, call_s))


async def http(target: Target, path: str, ask_s: float) -> Http:
    """Ask for ``path`` and wait at most ``ask_s`` seconds."""
    try:
        answer: Answer = await get(target, path, timeout_s=ask_s)
    except Unreachable as error:
        return Http(trouble=error.fault)
    return Http(answer.status, printable(answer.body.strip()), round(answer.latency_ms, 1))


async def echo(target: Target, rate: int, ask_s: float, call_s: float = CALL_S) -> Echo:
    """Place a call of ``call_s`` seconds and listen. If the release lacks a module that it needs, that is the trouble."""
    try:
        from exotel_phone.phone import place_call
    except ImportError as error:
        return Echo(trouble=Fault("no-phone", f"exotelctl itself lacks a module: {error}", "deploy the release again"))
    said: Sequence[bytes] = frames(speech_like(call_s, rate), rate)
    try:
        result = await place_call(target, said, rate=rate, connect_timeout_s=ask_s, settle_s=1.0)
    except Unreachable as error:
        return Echo(trouble=error.fault)
    trips = sorted(result.round_trips_ms)
    return Echo(
        frames_sent=result.frames_sent,
        frames_received=result.frames_received,
        frames_lost=result.frames_lost,
        bytes_received=result.bytes_received,
        bit_exact=result.bit_exact,
        difference=result.difference,
        closed_early=result.closed_early,
        faults=result.faults,
        fault_count=result.fault_count,
        round_trip_ms=round(trips[len(trips) // 2], 2) if trips else 0.0,
        call_sid=result.ids.call_sid,
        round_trip_p95_ms=round(trips[len(trips) * 95 // 100], 2) if trips else 0.0,
    )
