"""Ask the server as a caller does, from this machine through its public address."""

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exotel_phone.protocol_test.exchange import Check
from exotel_phone.reach import Fault, explain
from exotel_phone.target import Target

from exotelctl.doctor.facts import call
from exotelctl.doctor.facts.address import resolve

_ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A check of the protocol test that did not pass."""

    name: str
    cause: str


@dataclass(frozen=True, slots=True)
class Outside:
    """``at`` is this machine's time in Unix seconds. ``connect`` is None where TCP connected.

    ``http_port`` is the port for ACME if it was tried too, and ``http_fault`` why it did not connect.
    ``protocol_checks`` is how many checks the protocol test made, 0 where it was not tried; ``broken`` those that failed.
    """

    at: float
    url: str
    port: int
    addresses: tuple[str, ...]
    unresolved: str = ""
    connect: Fault | None = None
    answers: call.Answers | None = None
    protocol_checks: int = 0
    broken: tuple[Broken, ...] = ()
    http_port: int = 0
    http_fault: Fault | None = None


def look(target: Target, *, http_port: int = 0, call_s: float = call.CALL_S) -> Outside:
    """Try the name, TCP, HTTP, a call of ``call_s`` seconds and the protocol, each only if the one before answered.

    ``http_port`` is tried by TCP as well, if it is not 0: the port for ACME of an edge.
    """
    seen = _look(target, call_s)
    if not http_port or seen.unresolved:
        return seen
    plain = replace(target, secure=False, port=http_port)
    return replace(seen, http_port=http_port, http_fault=_connect(plain))


def _look(target: Target, call_s: float) -> Outside:
    at, shown = time.time(), target.shown
    addresses, unresolved = (target.addresses, "") if target.addresses else resolve(target.host)
    if unresolved:
        return Outside(at, shown, target.port, (), unresolved)
    trouble = _connect(target)
    if trouble:
        return Outside(at, shown, target.port, addresses, connect=trouble)
    rate = target.rate or 8000
    answers = call.look(target, rate=rate, ask_s=_ASK_S, call_s=call_s)
    checks = asyncio.run(_protocol(target, rate)) if answers.echo and not answers.echo.trouble else []
    broken = [Broken(check.name, check.finding.cause if check.finding else "") for check in checks if check.outcome != "pass"]
    return Outside(at, shown, target.port, addresses, answers=answers, protocol_checks=len(checks), broken=tuple(broken))


def _connect(target: Target) -> Fault | None:
    try:
        _connect_to(target.addresses or (target.host,), target.port)
    except OSError as error:
        return explain(error, target, _ASK_S)
    return None


def _connect_to(hosts: Sequence[str], port: int) -> None:
    """Connect to the first of ``hosts`` that takes it. Raises the OSError of the last."""
    for number, host in enumerate(hosts, 1):
        try:
            socket.create_connection((host, port), timeout=_ASK_S).close()
            return
        except OSError:
            if number == len(hosts):
                raise


async def _protocol(target: Target, rate: int) -> list[Check]:
    from exotel_phone.protocol_test.run import ProtocolTest

    return await ProtocolTest(target, rate, patience_s=2.0).run()
