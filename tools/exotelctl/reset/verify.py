"""Proof from this host that calls are taken again: the protocol test, ``/health`` among it, and one short call."""

import asyncio
import dataclasses
import tomllib
from pathlib import Path
from typing import Final

from exotel_phone import call
from exotel_phone.exits import UsageFault
from exotel_phone.phone import place_call
from exotel_phone.protocol_test import verb as compliance
from exotel_phone.protocol_test.run import ProtocolTest
from exotel_phone.reach import Unreachable
from exotel_phone.target import SAMPLE_RATES, Target, parse

from exotelctl.host_settings import load

CREDENTIALS: Final = Path("/etc/exotel-ws/current/credentials/stream-credentials")
_RATE: Final = SAMPLE_RATES[0]
_CALL_S: Final = 1.0
_ANSWER_S: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Verified:
    """What was tried, whether it went well, and in figures or words how."""

    claim: str
    ok: bool
    text: str


def verify(settings: Path) -> list[Verified]:
    """Try the server that ``settings`` are of. The call is left out where the protocol test fails."""
    try:
        return asyncio.run(_verify(_target(settings)))
    except UsageFault as fault:
        return [Verified("the server's settings can be read", False, str(fault))]


def _target(settings: Path) -> Target:
    """The server as a caller on this host reaches it: the first path that is served, with a credential where one is asked for."""
    host = load(settings)
    served = tomllib.loads(settings.read_text()).get("paths") or [""]
    return parse(host.local_target.url() + served[0], CREDENTIALS if host.asks_credential else None)


async def _verify(target: Target) -> list[Verified]:
    checks = await ProtocolTest(target, _RATE, compliance.Silent(), patience_s=_ANSWER_S).run()
    wrong = [check for check in checks if check.outcome != "pass"]
    said = f"{len(checks) - len(wrong)} of {len(checks)} checks"
    if wrong:
        first = f"{wrong[0].name}: {wrong[0].finding.cause}" if wrong[0].finding else wrong[0].name
        return [Verified("the protocol test passes", False, f"{said}; {first}")]
    return [Verified("the protocol test passes", True, said), await _call(target)]


async def _call(target: Target) -> Verified:
    claim = "a call comes back bit-exact"
    order = call.plan(target, None, None, _RATE, _CALL_S, as_exotel=False)
    try:
        result = await place_call(order.target, order.frames, rate=order.rate)
    except Unreachable as error:
        return Verified(claim, False, error.fault.cause)
    fault = call.judge(result)
    if fault:
        return Verified(claim, False, fault.cause)
    trips = call.round_trips(result) or {}
    return Verified(claim, True, f"{_CALL_S:g} s at {_RATE} Hz, round trip p50 {trips['p50']:.1f} ms, p95 {trips['p95']:.1f} ms")
