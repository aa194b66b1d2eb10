"""Explain why a server cannot be reached: turn exceptions of the network into a cause and the command to run next."""

import dataclasses
import errno
import socket
import ssl

from exotel_phone import tls
from exotel_phone.command import command, journal, of_units
from exotel_phone.target import Target
from exotel_phone.text import printable


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """Fault of a connection or a call: ``kind`` is a stable name, ``cause`` one sentence, ``next`` what to run or check now."""

    kind: str
    cause: str
    next: str

    @property
    def told(self) -> str:
        """Return the fault as two lines for people."""
        return f"❌ {self.cause}\n   next: {self.next}"


class Unreachable(Exception):
    """Raised if no connection could be made; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.cause)
        self.fault = fault


class NotHttp(Exception):
    """Raised for an answer that is not HTTP; the text shows how it began."""


def explain(error: BaseException, target: Target, timeout_s: float) -> Fault:
    """Return the fault behind ``error``, met while connecting to ``target`` or while waiting ``timeout_s`` for its answer."""
    where = target.netloc
    unit, look = "exotel-ws.socket", command("exotelctl", "port-clean", "--port", target.port, "--dry-run")
    if target.secure:
        unit, look = "haproxy.service", command("ss", "-ltnp", f"sport = :{target.port}")
    match error:
        case ConnectionRefusedError():
            cause = f"{where} refused the connection: nothing listens on that port"
            return Fault("refused", cause, f"on the host: {of_units('status', unit)}; {look}")
        case socket.gaierror():
            look = f"{command('getent', 'hosts', target.host)}; check the spelling"
            return Fault("dns", f"the name {target.host} does not resolve", look)
        case ConnectionError() | EOFError() | ssl.SSLEOFError():
            cause = f"{where} took the connection and closed it without an answer"
            if target.secure:
                cause += ": its edge has put this machine out, or it speaks no TLS"
                put_out = "on the host: sudo exotelctl edge, which names who is put out"
                return Fault("reset", cause, f"{put_out}; ws:// where there is no edge")
            return Fault("reset", cause, f"wss:// if it wants TLS; on the host: {journal('-u', 'exotel-ws@*', '-n', 50)}")
        case ssl.SSLError():
            return Fault(*tls.fault(error, where, target.host, target.port))
        case TimeoutError():
            cause = f"{where} gave no answer within {timeout_s:g} s: a firewall drops the packets, or the server hangs"
            return Fault("timeout", cause, f"check the firewall rule for tcp:{target.port}; on the host: {look}")
        case NotHttp():
            return Fault("not-http", f"{where} answers, but not in HTTP: {error}", f"on the host: {look} shows who listens there")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    kind = "unreachable" if isinstance(error, OSError) and error.errno in _ROUTE else "error"
    return Fault(kind, f"{where}: {printable(reason)}", f"check the address and the route: ping {target.host}")


def refused_handshake(target: Target, status: str, body: bytes | bytearray | None) -> str:
    """Return the cause of a handshake that was answered with ``status`` (``HTTP 503``) and ``body``."""
    said = printable((body or b"").decode(errors="replace").strip(), 120)
    return f"{target.netloc} refused the WebSocket handshake with {status}" + (f": {said}" if said else "")


def no_websocket(target: Target, error: Exception) -> str:
    """Return the cause of a handshake that failed otherwise."""
    return f"{target.netloc} answers in HTTP but not as a WebSocket server: {printable(str(error))}"


_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
