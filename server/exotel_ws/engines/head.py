"""Read the head of an HTTP request (RFC 9112) from a stranger: bounded, tolerant in form, with a reason for each refusal.

The same reader stands before every engine, so that all accept and refuse the same.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

MOST_HEAD: Final = 8 * 1024
"""Most bytes of a head. A phone's request has 300, one with cookies through several proxies 4,000."""
MOST_HEADERS: Final = 64
MOST_TARGET: Final = 2 * 1024
"""Most bytes of path and query; Exotel strips the query anyway."""

_METHOD: Final = re.compile(rb"[A-Z][A-Z-]{0,31}")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_VERSION: Final = re.compile(rb"HTTP/(\d)\.(\d)")
PROXY_V1: Final = b"PROXY "
PROXY_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
"""First bytes of a connection that begins with the PROXY protocol."""


class BadHead(Exception):
    """Refusal of a request: HTTP ``status`` (0: no answer) and reason, one of `exotel_ws.metrics.tally.REJECTIONS`."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.text = text


class Head(NamedTuple):
    """Head of a request. ``target`` is path and query as they came; ``version`` is e.g. (1, 1)."""

    method: str
    target: str
    version: tuple[int, int]
    headers: "Headers"

    @property
    def wants_websocket(self) -> bool:
        """True if any field asks for a WebSocket, well-formed or not."""
        return any(name in self.headers for name in ("Sec-WebSocket-Key", "Sec-WebSocket-Version")) or "websocket" in tokens(
            self.headers.get("Upgrade", "")
        )


class Headers(Mapping[str, str]):
    """Header fields by their names in any case; the values of a repeated one are joined by commas, as HTTP has it."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields: dict[str, str] = {}
        for name, value in (fields or {}).items():
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Add a field."""
        key = name.lower()
        self._fields[key] = f"{self._fields[key]}, {value}" if key in self._fields else value

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class HeadReader:
    """Collect a request's bytes as they come."""

    def __init__(self) -> None:
        self.data = bytearray()
        """Bytes received so far; once the head is complete, the bytes behind it."""
        self._judged = False

    def feed(self, data: bytes | bytearray | memoryview) -> Head | None:
        """Add bytes; return the head once it is complete. Raises `BadHead` as soon as the bytes can't become one."""
        self.data += data
        if not self._judged:
            self._judge_first_bytes()
        end = _end_of_head(self.data)
        if end is None and len(self.data) <= MOST_HEAD:
            return None
        if end is None or end > MOST_HEAD:
            raise BadHead(431, "head_too_big", f"the request's head has more than {MOST_HEAD} bytes")
        head = bytes(self.data[:end])
        del self.data[:end]
        return parse(head)

    def _judge_first_bytes(self) -> None:
        """Check the bytes received before the first line is complete."""
        data = self.data
        if len(data) == 1 and data[0] in (0x16, 0x0D):
            return  # the next byte tells
        if data[0] == 0x16 and data[1] == 0x03:  # a record of TLS (RFC 8446, 5.1)
            raise BadHead(0, "tls", "a TLS ClientHello, and this port speaks no TLS: the URL must say ws://, not wss://")
        if data.startswith(PROXY_V1) or (len(data) > 4 and data.startswith(PROXY_V2[: len(data)])):
            text = (
                "the PROXY protocol, which is not taken from this peer: switch it off in the proxy (send-proxy, proxy_protocol), "
                "or set proxy_protocol here and name the proxy in limits.proxies"
            )
            raise BadHead(400, "proxy_protocol", text)
        if len(data) < 5 and PROXY_V2.startswith(data):
            return
        if data.startswith(b"\r\n") and len(data) > 2:
            del data[:2]  # RFC 9112, 2.2: one empty line before a request is passed over
        if not data[:1].isupper():
            raise BadHead(400, "not_http", "what came is not HTTP")
        line, found, _ = data.partition(b"\n")
        if len(line) > MOST_TARGET + 64:
            raise _too_long() if b" " in line[:33] else BadHead(400, "not_http", "what came is not HTTP")
        if found:
            _read_request_line(bytes(line.rstrip(b"\r")))
            self._judged = True


def parse(head: bytes) -> Head:
    """Read a whole head. Raises `BadHead`."""
    first, *lines = (line.removesuffix(b"\r") for line in head.split(b"\n"))
    method, target, version = _read_request_line(first)
    headers = Headers()
    fields = [line for line in lines if line]
    if len(fields) > MOST_HEADERS:
        raise BadHead(431, "head_too_big", f"the request has more than {MOST_HEADERS} header fields")
    for line in fields:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise BadHead(400, "bad_request", "a line of the head is not 'name: value'")
        headers.add(name.decode("ascii"), _text(value))
    return Head(method, target, version, headers)


def tokens(value: str) -> set[str]:
    """Return the comma-separated words of a header field in lower case."""
    return {word.strip().lower() for word in value.split(",")}


def _end_of_head(data: bytearray) -> int | None:
    """Return where the body begins: after an empty line, ended by CR LF or by LF alone."""
    ends = [at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := data.find(mark, 0, MOST_HEAD + 4)) >= 0]
    return min(ends, default=None)


def _read_request_line(line: bytes) -> tuple[str, str, tuple[int, int]]:
    words = line.split(b" ")
    if len(words) != 3 or not _METHOD.fullmatch(words[0]) or not words[2].startswith(b"HTTP/"):
        spoken = "not_http" if b"HTTP/" not in line and words[0] not in (b"GET", b"HEAD", b"POST") else "bad_request"
        raise BadHead(400, spoken, "the first line is no request of HTTP")
    method, target, protocol = words
    version = _VERSION.fullmatch(protocol)
    if not version or version[1] != b"1":
        raise BadHead(400, "http_version", "WebSockets and HTTP are served here over HTTP/1.1 only")
    if len(target) > MOST_TARGET:
        raise _too_long()
    if _CONTROL.search(target) or not target:
        raise BadHead(400, "bad_request", "the request's target holds control characters")
    return method.decode("ascii"), _origin_form(_text(target)), (1, int(version[2]))


def _origin_form(target: str) -> str:
    """Cut scheme and host off; a server has to take a target that has them (RFC 9112, 3.2.2)."""
    scheme, found, rest = target.partition("://")
    if not found or scheme.lower() not in ("http", "https", "ws", "wss"):
        return target
    at = min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))
    return rest[at:] if rest[at : at + 1] == "/" else "/" + rest[at:]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _too_long() -> BadHead:
    return BadHead(414, "target_too_long", f"path and query have more than {MOST_TARGET} bytes")
