"""Open a WebSocket as Exotel does, and explain every failure."""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

from exotel_phone import call_token
from exotel_phone.command import command
from exotel_phone.pinned import connected
from exotel_phone.reach import Fault, NotHttp, Unreachable, explain, no_websocket, refused_handshake
from exotel_phone.target import Target
from exotel_phone.text import printable
from exotel_phone.wire import USER_AGENT

_REDIRECTS = range(300, 400)
_NOT_LET_IN = (401, 403)
_STATUS_HELP = {
    404: "compare the path of the URL with `paths` in the server's settings.toml",
    503: "exotelctl health says whether the server is draining or full",
}
_GIVE = "give the credential: wss://user:token@host/… or --credential-file FILE"
_COMPARE = "compare the credential that was given with the server's; on the host: sudo exotelctl url --with-key"


class _Straight(connect):
    """Follow no redirect, as Exotel's client does not: it would take the call, and its audio, to a server nobody named."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def dial(
    target: Target,
    *,
    query: bool = True,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> ClientConnection:
    """Open a connection as Exotel's client does: its User-Agent, no extension, no ping of its own, no proxy, no redirect.

    ``query`` False leaves the query out, as Exotel does. ``timeout_s`` bounds name look-up, TCP, TLS and handshake together.
    Raises Unreachable.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _Straight(
                target.url(query=query),
                additional_headers={**target.headers, **call_token.headers(), **(headers or {})},
                user_agent_header=USER_AGENT,
                compression=None,
                proxy=None,
                open_timeout=None,
                ping_interval=None,
                max_queue=256,
                ssl=(tls or target.tls()) if target.secure else None,
                sock=await connected(target),
            )
    except InvalidStatus as error:
        raise Unreachable(_status(error, target)) from None
    except InvalidMessage as error:
        reason: BaseException = error.__cause__ or error
        if not isinstance(reason, OSError | EOFError):
            reason = NotHttp(printable(str(reason), 80))
        raise Unreachable(explain(reason, target, timeout_s)) from None
    except InvalidHandshake as error:
        curl = command("curl", "-i", target.http("/health"))
        raise Unreachable(Fault("not-websocket", no_websocket(target, error), curl)) from None
    except (OSError, EOFError) as error:
        raise Unreachable(explain(error, target, timeout_s)) from None


def _status(error: InvalidStatus, target: Target) -> Fault:
    status = error.response.status_code
    if status in _REDIRECTS:
        return _redirect(status, next(iter(error.response.headers.get_all("Location")), ""), target)
    cause = refused_handshake(target, f"HTTP {status}", error.response.body)
    if status in _NOT_LET_IN:
        return Fault("http-status", cause, _COMPARE if target.credential else _GIVE)
    return Fault("http-status", cause, _STATUS_HELP.get(status, command("curl", "-i", target.http("/health"))))


def _redirect(status: int, location: str, target: Target) -> Fault:
    try:
        host = urlsplit(urljoin(target.http(target.path), location)).hostname if location else None
    except ValueError:
        host = None
    elsewhere = printable(host, 80) if host else "a place it does not name"
    cause = f"{target.netloc} redirects to {elsewhere} (HTTP {status}): Exotel's client follows no redirect, nor does this one"
    return Fault("redirect", cause, "give the URL of the voice server itself, without what redirects in front of it")
