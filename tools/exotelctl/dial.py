"""Opening a WebSocket the way Exotel does, with every failure explained."""

import ssl
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

from exotelctl.reach import Fault, NotHttp, Unreachable, explain
from exotelctl.target import Target
from exotelctl.text import printable

USER_AGENT = "Go-http-client/1.1"

_STATUS_HELP = {
    401: "give the credential: wss://user:token@host/… or --credential-file FILE",
    403: "give the credential: wss://user:token@host/… or --credential-file FILE",
    404: "compare the path of the URL with `paths` in the server's settings.toml",
    503: "exotelctl health says whether the server is draining or full",
}


async def dial(
    target: Target,
    *,
    query: bool = True,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> ClientConnection:
    """An open connection as Exotel's client makes it: its User-Agent, no extension, no ping of its own, no proxy.

    ``query`` False leaves the query away, as Exotel does. ``timeout_s`` bounds name look-up, TCP, TLS and handshake together.
    Raises Unreachable.
    """
    try:
        return await connect(
            target.url(query=query),
            additional_headers={**target.headers, **(headers or {})},
            user_agent_header=USER_AGENT,
            compression=None,
            proxy=None,
            open_timeout=timeout_s,
            ping_interval=None,
            max_queue=256,
            ssl=(tls or ssl.create_default_context()) if target.secure else None,
        )
    except InvalidStatus as error:
        raise Unreachable(_status(error, target)) from None
    except InvalidMessage as error:
        reason: BaseException = error.__cause__ or error
        if not isinstance(reason, OSError | EOFError):
            reason = NotHttp(printable(str(reason), 80))
        raise Unreachable(explain(reason, target, timeout_s)) from None
    except InvalidHandshake as error:
        cause = f"{target.netloc} answers in HTTP but not as a WebSocket server: {printable(str(error))}"
        raise Unreachable(Fault("not-websocket", cause, f"curl -i {target.http('/health')}")) from None
    except (OSError, EOFError) as error:
        raise Unreachable(explain(error, target, timeout_s)) from None


def _status(error: InvalidStatus, target: Target) -> Fault:
    status = error.response.status_code
    said = printable((error.response.body or b"").decode(errors="replace").strip(), 120)
    cause = f"{target.netloc} refused the WebSocket handshake with HTTP {status}" + (f": {said}" if said else "")
    return Fault("http-status", cause, _STATUS_HELP.get(status, f"curl -i {target.http('/health')}"))
