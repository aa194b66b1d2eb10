"""Read the edge's lines in the journal: one a connection, with why it was refused, and HAProxy's own words.

edge frontend=wss client=203.0.113.9 status=401 reason=key_wrong ended=PR tls=TLSv1.3 bytes_in=412 bytes_out=180 ms=3 test=-
"""

import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from exotel_phone import call_token

from exotelctl import journal

_OURS: Final = "edge "
HANDSHAKE: Final = "handshake"
"""Reason of a connection whose TLS handshake failed."""
PLAIN: Final = "plain_ws"
"""Reason of a connection with a URL that says ws://: to the port for ACME, or plain HTTP where TLS is spoken."""
_SEVERITY: Final = re.compile(r"^\[[A-Z]+\] +\(\d+\) : ")
"""Beginning of what HAProxy says on stderr."""
_SPOKE_HTTP: Final = 156
"""OpenSSL's reason SSL_R_HTTP_REQUEST, in the low bits of its error codes."""
_REASON_BITS: Final = 0xFFF
OF_PLAIN: Final = (f"reason={PLAIN}", f"error={20 << 23 | _SPOKE_HTTP}")
"""Words of which the line of such a connection has one: the reason, or OpenSSL 3's code for that error of its part SSL (20)."""
_PROXY_STOPPED: Final = re.compile(r"(\[WARNING\] .* : )?Proxy \S+ stopped \(cumulated conns: ")
"""Lines about each proxy of a worker that ends, as one does after each reload: of its log, and of stderr."""
_UNTOLD: Final = 48
"""Last characters of a token that the edge does not tell."""
_VALID_S: Final = 900.0
"""Seconds for which a token is good, as the server has it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A connection that the edge told of; ``reason`` is its word for a refusal, "" for none. ``at`` is in Unix seconds.

    ``test`` is the beginning of the token that a test call of ours showed, "" for none.
    """

    at: float
    frontend: str
    client: str
    status: int
    reason: str
    ended: str = ""
    test: str = ""

    def ours(self, key: bytes) -> bool:
        """Return True for a test call of ours: what it showed was made with the host's ``key``, not long before."""
        at = _number(self.test.partition(".")[0])
        made = call_token.make(key, at)[:-_UNTOLD]
        return abs(self.at - at) <= _VALID_S and hmac.compare_digest(made.encode(), self.test.encode())


def read(*, since: float, most: int) -> tuple[list[Seen], list[str]]:
    """Return the newest ``most`` lines since then: the connections, and what else HAProxy said that matters. Raises Refusal."""
    connections, others = [], []
    for at, message in _lines(since, most):
        one = parse(at, message)
        if one:
            connections.append(one)
        elif not message.startswith(_OURS) and not _PROXY_STOPPED.match(message):
            others.append(message)
    return connections, others


def _lines(since: float, most: int) -> Iterator[tuple[float, str]]:
    for entry in journal.read(units=(), matches=[journal.OF_EDGE], since=f"@{since:.6f}", lines=most, only=("MESSAGE",)):
        yield entry.time, entry.message


def parse(at: float, message: str) -> Seen | None:
    """Return the connection of a line; None for another line."""
    if not message.startswith(_OURS):
        return None
    said = dict(word.partition("=")[::2] for word in message[len(_OURS) :].split())
    if not {"frontend", "client", "status"} <= said.keys():
        return None
    reason = said.get("reason", "-")
    if reason == HANDSHAKE and _number(said.get("error", "")) & _REASON_BITS == _SPOKE_HTTP:
        reason = PLAIN
    return Seen(
        at=at,
        frontend=said["frontend"],
        client=said["client"].removeprefix("::ffff:"),
        status=_number(said["status"]),
        reason="" if reason == "-" else reason,
        ended=said.get("ended", ""),
        test=said.get("test", "-").strip("-"),
    )


def once(words: Sequence[str]) -> list[str]:
    """Return each of HAProxy's ``words`` once, where it was said last: it says many on stderr and in its log."""
    return list({_SEVERITY.sub("", word): word for word in reversed(words)}.values())[::-1]


def tells(message: str) -> bool:
    """Return True for a line that says more than that a connection was passed on, which the server's own lines tell better.

    A handshake that came to nothing says little: scanners leave them, and each look at the port. Nor does a proxy that stopped:
    each reload leaves a line, or two, of each.
    """
    seen = parse(0.0, message)
    return not _PROXY_STOPPED.match(message) if seen is None else seen.reason not in ("", HANDSHAKE)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
