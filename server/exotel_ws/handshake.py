"""Decide if a client may open a stream: form of the request, path, credentials. No secret reaches any log."""

import base64
import hashlib
import hmac
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote

from exotel_ws import parameters
from exotel_ws.engines.head import Head, tokens
from exotel_ws.settings import Auth, SettingsError

if TYPE_CHECKING:
    from exotel_ws.admission.bounds import Ticket

_MOST_SEGMENTS: Final = 8
"""Path segments and query values tried as credentials; a URL given to Exotel has one or two."""
_MOST_CANDIDATES: Final = 150
"""Texts of a start message tried as credentials; Exotel's three parameters give a few dozen."""
_GOOD_LENGTH: Final = 16
"""Least characters of a token that can't be guessed, even from many addresses."""
_MOST_LENGTH: Final = 512
"""Most characters of a text that is tried as a credential."""
_MOST_FIELDS: Final = 32
"""Most query values that are read."""
_MOST_NAME: Final = 64

Place = Literal["header", "path", "query", "start"]
"""Place where a client shows its credential."""

log = logging.getLogger("exotel_ws.server")


class Rejection(NamedTuple):
    """Refusal of a handshake: HTTP status, the metric's label, a sentence for the log and the client, a further word.

    ``headers`` go with the answer.
    """

    status: int
    reason: str
    text: str
    detail: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """Return the journal's fields of the refusal, beside the sentence."""
        return {"REASON": self.reason} | ({"DETAIL": self.detail} if self.detail else {})


class Target(NamedTuple):
    """Target of a request: the path, and the query."""

    path: str
    query: dict[str, str]

    @classmethod
    def parse(cls, raw_path: str) -> "Target":
        """Read the target of a request line, e.g. ``/?sample-rate=8000``, and of a malformed query as much as possible."""
        path, _, query = raw_path.partition("?")
        fields = "&".join(query.split("&", _MOST_FIELDS)[:_MOST_FIELDS])
        return cls(unquote(path) or "/", dict(parse_qsl(fields, keep_blank_values=True)))


class Use(NamedTuple):
    """A credential that a client has shown, by its fingerprint, and the place."""

    fingerprint: str
    place: Place


class Known(NamedTuple):
    """A credential that is good, without its secret: the user, or a name made of the fingerprint, and the token's fingerprint."""

    name: str
    token: str


def fingerprint(text: str) -> str:
    """Return a name for a credential that does not give it away: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


class Credentials:
    """The credentials a stream may show, each ``user:token`` or a bare token.

    Exotel strips the query from the applet's URL before it connects, so four places are looked at: the Basic header
    (``wss://user:token@host``), a path segment, the start message's custom parameters (also mangled), and the query (tools).
    """

    def __init__(self, entries: list[str]) -> None:
        self._entries = [entry.encode() for entry in entries]
        self._tokens = [_token(entry).encode() for entry in entries]
        self._fingerprints = [fingerprint(entry) for entry in entries]
        self.known = {
            mark: Known(_user(entry)[:_MOST_NAME] or f"key-{mark[:4]}", fingerprint(_token(entry)))
            for mark, entry in zip(self._fingerprints, entries, strict=True)
        }
        """The credentials by their fingerprints."""
        self.retired: frozenset[str] = frozenset()
        """Fingerprints of credentials, whole and their tokens alone, that were good before."""
        self.on_use: Callable[[Use], None] = lambda _use: None
        """Function that is told of each connection's credential."""

    @classmethod
    def load(cls, auth: Auth) -> "Credentials | None":
        """Return the credentials if authentication is required, else None. Raises `SettingsError` if there are none to check."""
        if not auth.required:
            return None
        path = Path(os.environ.get("CREDENTIALS_DIRECTORY", "."), auth.credential)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise SettingsError(
                [f"auth.credential: {path} can't be read ({error.strerror}); one 'user:token' a line is expected there"]
            ) from None
        except UnicodeDecodeError:
            raise SettingsError([f"auth.credential: {path} is not UTF-8; one 'user:token' a line is expected there"]) from None
        entries = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        if not entries:
            raise SettingsError([f"auth.credential: {path} holds no credential; write one 'user:token' a line"])
        return cls(entries)

    def check_length(self, auth: Auth) -> None:
        """Refuse tokens that are quickly guessed, and warn of short ones. Raises `SettingsError`."""
        least, cure = auth.least_length, "make a longer one: openssl rand -hex 16"
        for number, token in enumerate(self._tokens, 1):
            where = f"auth.credential: the token of credential {number} in {auth.credential}"
            if len(token.decode()) < least:
                raise SettingsError([f"{where} has less than auth.least_length = {least} characters: {cure}"])
            if len(token.decode()) < _GOOD_LENGTH:
                log.warning("⚠️ %s has less than %d characters; %s", where, _GOOD_LENGTH, cure)

    def spellings(self) -> set[str]:
        """Return the texts that no output may hold: every credential, whole and its token alone."""
        return {known.decode() for known in (*self._entries, *self._tokens)}

    def accepts(self, shown: str) -> bool:
        """Return True if ``shown`` is one of the credentials, whole or its token alone."""
        return bool(self._find(shown))

    def _find(self, shown: str) -> str:
        """Return the fingerprint of the credential that ``shown`` is; empty if it is none. Take constant time for each."""
        if len(shown) > _MOST_LENGTH:
            return ""
        # A request line need not be UTF-8: what could not be decoded comes as surrogates.
        candidate = shown.encode(errors="surrogatepass")
        matches = [hmac.compare_digest(candidate, known) for known in (*self._entries, *self._tokens)]
        return self._fingerprints[matches.index(True) % len(self._entries)] if any(matches) else ""

    def _first(self, candidates: Iterable[tuple[Place, str]]) -> Use | None:
        return next((Use(found, place) for place, shown in candidates if (found := self._find(shown))), None)

    def in_header(self, headers: Mapping[str, str]) -> Use | None:
        """Return the credential that the Authorization header holds; None if there is no such header, or no valid one in it."""
        return self._first(_in_header(headers))

    def in_target(self, target: Target) -> Use | None:
        """Return the credential that one of the first path segments or query values is."""
        return self._first(_in_target(target))

    def in_handshake(self, headers: Mapping[str, str], target: Target) -> Use | None:
        """Return the credential that a handshake shows."""
        return self.in_header(headers) or self.in_target(target)

    def note(self, use: Use, ticket: "Ticket | None") -> None:
        """Tell of a connection's credential, but not of a test call's: an operator asks which key Exotel uses."""
        if ticket is None or not ticket.ours:
            self.on_use(use)

    def had(self, headers: Mapping[str, str], target: Target, raw: Mapping[str, str]) -> bool:
        """Return True if a credential that was good before is shown, in a header, in a target or in raw custom parameters."""
        if not self.retired:
            return False
        shown = chain(_in_header(headers), _in_target(target), _in_parameters(raw))
        return any(fingerprint(text) in self.retired for _, text in shown if len(text) <= _MOST_LENGTH)

    @staticmethod
    def shown_by(target: Target, paths: Collection[str], raw: Mapping[str, str]) -> bool:
        """Return True if anything came that may be meant as a credential: a path other than ``paths``, a query, parameters.

        If a token was given in the query of the applet's URL, Exotel may have stripped it, so that nothing came.
        """
        told = {*target.query, *parameters.restore(raw)}
        return not all(map(parameters.is_rate, told)) or target.path not in ("/", *paths)

    def in_parameters(self, raw: Mapping[str, str]) -> Use | None:
        """Return the credential that the raw custom parameters hold: as a value, a name, or in a mangled form."""
        return self._first(_in_parameters(raw))


def _user(entry: str) -> str:
    user, colon, _ = entry.partition(":")
    return user if colon else ""


def _token(entry: str) -> str:
    return entry.partition(":")[2] or entry


def _in_header(headers: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        yield "header", value
    elif scheme.lower() == "basic":
        value += "=" * (-len(value) % 4)  # which some clients leave out
        try:
            text = base64.b64decode(value, validate=True).decode()
        except ValueError:  # neither base64 nor text
            return
        yield "header", text


def _in_target(target: Target) -> Iterator[tuple[Place, str]]:
    path = target.path[: 4 * _MOST_LENGTH]
    # A token may hold "/", and a "+" that the query's reader took for a blank.
    for text in (*[segment for segment in path.split("/") if segment][:_MOST_SEGMENTS], path[1:]):
        yield "path", text
    for value in islice(target.query.values(), _MOST_SEGMENTS):
        yield "query", value
        yield "query", value.replace(" ", "+")


def _in_parameters(raw: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    for text in islice(_parameter_candidates(raw), _MOST_CANDIDATES):
        yield "start", text


def _parameter_candidates(raw: Mapping[str, str]) -> Iterator[str]:
    restored = parameters.restore(raw)
    encoded = {unquote(name): unquote(value) for name, value in (restored | dict(raw)).items() if "%" in name or "%" in value}
    for told in (restored, raw, encoded):
        for name, value in told.items():
            # An "=" may come from the mangling, or be the token's own and lost by it; a "+" may be the token's own, not a blank.
            own = value.replace(" ", "+")
            for text in dict.fromkeys((value, own, own.removesuffix("="), own.rstrip("="), f"{own}=", own.partition("=")[2])):
                yield text
                yield f"{name}:{text}"
            yield name


def unfit(head: Head) -> Rejection | None:
    """Return why a request can't become a WebSocket (RFC 6455, 4.2.1)."""
    headers = head.headers
    if head.method != "GET":
        return Rejection(405, "bad_method", "a WebSocket is asked for by GET", headers=(("Allow", "GET, HEAD"),))
    if "websocket" not in tokens(headers.get("Upgrade", "")) or "upgrade" not in tokens(headers.get("Connection", "")):
        text = "the headers 'Upgrade: websocket' and 'Connection: Upgrade' did not both arrive: a proxy in front drops them"
        return Rejection(400, "upgrade_lost", text)
    if head.version < (1, 1):
        return Rejection(400, "http_version", "a WebSocket needs HTTP/1.1: a proxy in front speaks HTTP/1.0")
    if headers.get("Content-Length", "0").strip("0") or "Transfer-Encoding" in headers:
        return Rejection(400, "bad_handshake", "the request has a body")
    fault = malformed(headers)
    if not fault:
        return None
    named = () if headers.get("Sec-WebSocket-Version") == "13" else (("Sec-WebSocket-Version", "13"),)
    return Rejection(426 if named else 400, "bad_handshake", fault, headers=named)


def malformed(headers: Mapping[str, str]) -> str:
    """Return, as a sentence, the fault in the version or key of a request for a WebSocket; empty if there is none."""
    if headers.get("Sec-WebSocket-Version") != "13":
        return "Sec-WebSocket-Version is not 13"
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except ValueError:
        key = b""
    return "" if len(key) == 16 else "Sec-WebSocket-Key is not 16 bytes in base64"
