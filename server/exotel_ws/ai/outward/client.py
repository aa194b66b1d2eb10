"""Send a request and take its answer, both bounded, to no address that is refused and by no proxy."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import aiohttp
from yarl import URL

from exotel_ws.ai.outward import reach
from exotel_ws.ai.outward.signature import sign
from exotel_ws.ai.providers.keys import redact

MOST_SENT: Final = 1024 * 1024
"""Most bytes of a request's body: the transcript of a long call has a fifth of it."""


class OutwardError(Exception):
    """Nothing came of a request. The message says why, in words that hold neither its address nor a secret."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Destination of requests, and their form. A redirect is not followed: where it leads is not what the settings say."""

    url: str
    method: Literal["GET", "POST"] = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    bearer: str = field(default="", repr=False)
    """Secret that is sent as ``Authorization: Bearer``; empty: none."""
    signing: str = field(default="", repr=False)
    """Secret that each request is signed with, see `signature`; empty: none."""
    timeout_s: float = 5.0
    """Seconds for all of it: the name, the connection, the answer."""
    most_bytes: int = 16 * 1024
    """Most bytes of an answer."""
    allow_loopback: bool = False
    status_alone: bool = False
    """True: the status of an answer tells all, and its body is not read."""


class Answer(NamedTuple):
    """An answer with a status of 200 to 299. ``text`` has no secret in it."""

    status: int
    text: str

    def json(self) -> Any:
        """Return what the text means; ``{}`` if it is empty, ``{"answer": text}`` if it is no JSON.

        Raises `OutwardError` if it holds half a character, which no request to a language model can carry.
        """
        try:
            read = json.loads(self.text) if self.text.strip() else {}
        except (ValueError, RecursionError):
            return {"answer": self.text}
        try:
            json.dumps(read, ensure_ascii=False).encode()
        except (UnicodeEncodeError, RecursionError):
            raise OutwardError("an answer that holds half a character") from None
        return read


class Outward:
    """HTTP client that the calls of a worker share. Keeps connections, but no cookies: an answer is for one call alone."""

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def send(
        self,
        to: Destination,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send ``body`` as JSON by ``POST``, or ``query`` in the URL by ``GET``. Return the answer.

        ``headers`` are this request's own, such as an idempotency key, and go before the destination's. Raises `OutwardError`.
        """
        data = b""
        if to.method == "POST":
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(data) > MOST_SENT:
            raise OutwardError(f"a request of more than {MOST_SENT} bytes")
        try:
            url = _target(to, query)
            sent = {**to.headers, **(headers or {}), **_own_headers(to, data or url.raw_query_string.encode())}
            async with asyncio.timeout(to.timeout_s):
                return await self._exchange(to, url, data, sent)
        except TimeoutError:
            raise OutwardError(f"no answer within {to.timeout_s:g} s") from None
        except OutwardError:
            raise
        except Exception as error:  # aiohttp, its loop and its resolver raise many, and a call must survive each
            raise OutwardError(_why(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()

    async def _exchange(self, to: Destination, url: URL, data: bytes, headers: Mapping[str, str]) -> Answer:
        session = self._session(to.allow_loopback)
        async with session.request(to.method, url, data=data or None, headers=headers, allow_redirects=False) as response:
            raw = b"" if to.status_alone else await _at_most(response.content, to.most_bytes + 1)
        if not 200 <= response.status < 300:
            raise OutwardError(f"HTTP {response.status}")
        if len(raw) > to.most_bytes:
            raise OutwardError(f"an answer of more than {to.most_bytes} bytes")
        if "Content-Encoding" in response.headers and not to.status_alone:
            raise OutwardError("an answer that is compressed, which was not asked for")
        return Answer(response.status, redact(raw.decode()))

    def _session(self, allow_loopback: bool) -> aiohttp.ClientSession:
        """Return the session; those that may reach loopback have connections of their own."""
        if allow_loopback not in self._sessions:
            self._sessions[allow_loopback] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=reach.guarded(allow_loopback=allow_loopback)),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small answer could become a large one
                trust_env=False,  # proxies and .netrc
            )
        return self._sessions[allow_loopback]


def _target(to: Destination, query: Mapping[str, str] | None) -> URL:
    url = URL(to.url)
    return url.update_query(dict(query)) if query else url


def _own_headers(to: Destination, signed: bytes) -> dict[str, str]:
    made = {"Accept-Encoding": "identity"}
    if to.method == "POST":
        made["Content-Type"] = "application/json"
    if to.bearer:
        made["Authorization"] = f"Bearer {to.bearer}"
    if to.signing:
        made |= sign(to.signing, signed, time.time())
    return made


def _why(error: Exception) -> str:
    """Return what went wrong. The texts of aiohttp's errors hold the address, so their kind has to do."""
    cause = getattr(error, "os_error", error)
    return str(cause) if isinstance(cause, reach.RefusedAddress) else type(error).__name__


async def _at_most(stream: aiohttp.StreamReader, most: int) -> bytes:
    data = b""
    while len(data) < most and (piece := await stream.read(most - len(data))):
        data += piece
    return data
