"""Look from here at what an edge has to refuse: calls without a good key, strangers at ``/metrics``, the plain port."""

import asyncio
import base64
import dataclasses
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from typing import Final

from exotel_phone import call_token
from exotel_phone.audio import frames, speech_like
from exotel_phone.command import command
from exotel_phone.http_request import get
from exotel_phone.phone import place_call
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import Target
from exotel_phone.wire import USER_AGENT

from exotelctl.doctor.facts.call import Http, http
from exotelctl.doctor.result import Finding, Remedy, fail
from exotelctl.edge.config import EdgeConfig
from exotelctl.verify.steps import Step

_ASK_S: Final = 5.0
_CONNECT_S: Final = 3.0
_WITHOUT: Final = "a call without a key is refused"
_WRONG: Final = "a call with a wrong key is refused"
_METRICS: Final = "/metrics is not shown to strangers"
_PLAIN: Final = "tcp:{port} is closed to this machine"
_DEPLOY: Final = ("ansible-playbook deploy.yml -i INVENTORY",)
_LOOK: Final = ("exotelctl edge",)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Answers of an edge to what it has to refuse. ``without_key`` and ``wrong_key`` are None where it asks for no key.

    ``at_start`` is how a call without a key was ended, where the key may come in its start message; "" if it was not.
    ``plain_open`` is the address at which the server's own port took a connection from here, "" if none did, None where
    nothing can be learnt, for the way leads over loopback.
    """

    metrics: Http
    plain_open: str | None
    without_key: Http | None = None
    wrong_key: Http | None = None
    at_start: str = ""


def look(target: Target, edge: EdgeConfig, server_port: int, addresses: tuple[str, ...]) -> Refusals:
    """Try each of them once: ten wrong keys would put this machine out. ``addresses`` are those of the host."""
    return asyncio.run(_look(target, edge, server_port, addresses))


async def _look(target: Target, edge: EdgeConfig, server_port: int, addresses: tuple[str, ...]) -> Refusals:
    nobody = dataclasses.replace(target, credential=None)
    metrics, plain_open = await http(nobody, "/metrics", _ASK_S), _open(addresses, server_port)
    if not edge.keys_asked:
        return Refusals(metrics, plain_open)
    without, at_start = await _handshake(nobody), ""
    if edge.key_in_start and without.status == 101:
        at_start = await _ended(nobody)
    wrong = await _handshake(dataclasses.replace(target, credential=f"exotelctl-verify:{secrets.token_hex(16)}"))
    return Refusals(metrics, plain_open, without, wrong, at_start)


async def _handshake(target: Target) -> Http:
    """Return how a WebSocket handshake is answered; no call follows."""
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "User-Agent": USER_AGENT,
        **target.headers,
        **call_token.headers(),
    }
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    try:
        answer = await get(target, path, timeout_s=_ASK_S, headers=asked)
    except Unreachable as error:
        return Http(trouble=error.fault)
    return Http(answer.status, answer.body.strip(), answer.latency_ms)


async def _ended(target: Target) -> str:
    """Return how a call of a second was ended by the server before it was answered; "" if it was not ended."""
    rate = target.rate or 8000
    try:
        result = await place_call(target, frames(speech_like(1.0, rate), rate), rate=rate, connect_timeout_s=_ASK_S, settle_s=1.0)
    except Unreachable as error:
        return error.fault.cause
    return "" if result.bytes_received else result.closed_early


def _open(addresses: tuple[str, ...], port: int) -> str | None:
    if not addresses or any(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        return None
    for address in addresses:
        try:
            socket.create_connection((address, port), timeout=_CONNECT_S).close()
        except OSError:
            continue
        return address
    return ""


def steps(seen: Refusals, edge: EdgeConfig, server_port: int, *, metrics_sources: bool) -> list[Step]:
    """Return a step for each; ``metrics_sources`` says whether some addresses may read ``/metrics``, so perhaps this machine."""
    return [*_keys(seen, edge), _metrics(seen, metrics_sources), *_plain(seen, server_port)]


def _keys(seen: Refusals, edge: EdgeConfig) -> list[Step]:
    if seen.without_key is None or seen.wrong_key is None:
        return [Step(_WITHOUT, "no key is asked for (exotel_ws_credentials is empty), so neither none nor a wrong one was tried")]
    if edge.key_in_start and seen.without_key.status == 101:
        ended = f"a call without a key is refused at its start: {seen.at_start}"
        without = Step(_WITHOUT, ended, None if seen.at_start else _let_in("a call whose start message has no key is answered"))
    else:
        without = Step(_WITHOUT, "a call without a key is refused: 401", _not_401(seen.without_key, "without a key"))
    return [without, Step(_WRONG, "a call with a wrong key is refused: 401", _not_401(seen.wrong_key, "with a wrong key"))]


def _not_401(answer: Http, how: str) -> Finding | None:
    if answer.status == 401:
        return None
    if answer.trouble:
        return fail(f"a call {how} gets no answer: {answer.trouble.cause}", remedy=_put_out(answer.trouble))
    return _let_in(f"a call {how} gets HTTP {answer.status}, not 401")


def _let_in(says: str) -> Finding:
    return fail(says, remedy=Remedy("Look at the edge on the host, and write its lists of keys anew:", _LOOK, _DEPLOY))


def _put_out(trouble: Fault) -> Remedy:
    return Remedy("Perhaps the edge has put this machine out. On the host:", (*_LOOK, trouble.next))


def _metrics(seen: Refusals, metrics_sources: bool) -> Step:
    answer = seen.metrics
    if answer.status in (403, 404):
        return Step(_METRICS, f"/metrics is not shown to this machine: {answer.status}")
    if answer.status == 200 and metrics_sources:
        return Step(_METRICS, "/metrics is shown to this machine, one of exotel_ws_metrics_sources")
    if answer.trouble:
        return Step(_METRICS, wrong=fail(f"/metrics: {answer.trouble.cause}", remedy=_put_out(answer.trouble)))
    says = f"/metrics gets HTTP {answer.status} here, not 404: strangers may read what calls there are"
    return Step(_METRICS, wrong=fail(says, remedy=Remedy("Write the edge's configuration anew:", _LOOK, _DEPLOY)))


def _plain(seen: Refusals, port: int) -> list[Step]:
    claim = _PLAIN.format(port=port)
    if seen.plain_open is None:
        return []
    if not seen.plain_open:
        return [Step(claim, f"{claim}: nobody gets past the edge")]
    says = f"tcp:{port} of {seen.plain_open} takes connections from here, past the edge"
    look = command("exotelctl", "port-clean", "--port", port, "--dry-run")
    return [Step(claim, wrong=fail(says, remedy=Remedy("Look who listens there, on the host:", (look,), _DEPLOY)))]
