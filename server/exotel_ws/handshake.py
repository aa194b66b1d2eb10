"""Who may open a stream: path, credentials, capacity. A clear HTTP status for those who may not, and no secret in any log."""

import base64
import hmac
import os
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from exotel_ws.settings import Auth, SettingsError

_MOST_CANDIDATES: Final = 1000
"""Texts tried on a start message. Exotel's three parameters give a few dozen; a stranger's thousands would hold up every call."""


class Rejection(NamedTuple):
    """Why a handshake was refused: HTTP status, the metric's label, a sentence for the log and the client, a further word."""

    status: int
    reason: str
    text: str
    detail: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """What the journal says of it beside the sentence."""
        return {"REASON": self.reason} | ({"DETAIL": self.detail} if self.detail else {})


class Target(NamedTuple):
    """What a client asked for: the path, split into segments where it may carry a secret, and the query."""

    path: str
    query: dict[str, str]

    @classmethod
    def parse(cls, raw_path: str) -> "Target":
        """From the request line, e.g. ``/?sample-rate=8000``. A query that is not well-formed is read as far as it goes."""
        path, _, query = raw_path.partition("?")
        return cls(unquote(path) or "/", dict(parse_qsl(query, keep_blank_values=True)))


class Credentials:
    """The credentials a stream may show, each ``user:token`` or a bare token.

    Exotel strips the query from the applet's URL before it connects, so four places are looked at: the Basic header
    (``wss://user:token@host``), a path segment, the start message's custom parameters (also mangled), and the query (tools).
    """

    def __init__(self, entries: list[str]) -> None:
        self._entries = [entry.encode() for entry in entries]
        self._tokens = [entry.partition(":")[2].encode() or entry.encode() for entry in entries]

    @classmethod
    def load(cls, auth: Auth) -> "Credentials | None":
        """The credentials where authentication is required, else None. Raises `SettingsError` if there are none to check."""
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

    def spellings(self) -> set[str]:
        """What must be found nowhere else: every credential, whole and its token alone."""
        return {known.decode() for known in (*self._entries, *self._tokens)}

    def accepts(self, shown: str) -> bool:
        """Whether this is one of the credentials, whole or its token alone; in constant time for each."""
        # A request line need not be UTF-8: what could not be decoded comes as surrogates.
        candidate = shown.encode(errors="surrogatepass")
        matches = [hmac.compare_digest(candidate, known) for known in (*self._entries, *self._tokens)]
        return any(matches)

    def in_header(self, headers: Mapping[str, str]) -> bool | None:
        """Whether the Authorization header holds a right credential; None where there is no such header."""
        header = headers.get("Authorization")
        if header is None:
            return None
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return self.accepts(value.strip())
        try:
            return scheme.lower() == "basic" and self.accepts(base64.b64decode(value, validate=True).decode())
        except ValueError:  # neither base64 nor text
            return False

    def in_target(self, target: Target) -> bool:
        """Whether a path segment or a query value is a credential."""
        return any(map(self.accepts, (*target.path.split("/"), *target.query.values())))

    @staticmethod
    def shown_by(target: Target, paths: Collection[str], parameters: Mapping[str, str]) -> bool:
        """Whether anything came that may have been meant as one: a path other than ``paths``, a query, parameters.

        Nothing at all is what is left of a token in the query, which Exotel strips.
        """
        told = {*target.query, *parameters} - {"sample-rate", "sample_rate"}
        return bool(told) or target.path not in ("/", *paths)

    def in_parameters(self, parameters: Mapping[str, str]) -> bool:
        """Whether the custom parameters hold one, as a value or in one of the mangled forms that were reported."""
        return any(map(self.accepts, islice(_parameter_candidates(parameters), _MOST_CANDIDATES)))


def _parameter_candidates(parameters: Mapping[str, str]) -> Iterator[str]:
    for key, value in parameters.items():
        yield value
        yield f"{key}:{value}"
        yield key
        for mangled in (key, f"{key}={value}", value):
            for pair in mangled.replace("?", "&").split("&"):
                for separator in ("=", ":"):
                    text = pair.partition(separator)[2]
                    # One "=" is the mangling's; a token may end with its own.
                    yield from (text, text.removesuffix("="), text.rstrip("="))


def malformed(headers: Mapping[str, str]) -> str:
    """What is wrong with a request for a WebSocket (RFC 6455, 4.2.1), in a sentence; empty if nothing is."""
    if headers.get("Sec-WebSocket-Version") != "13":
        return "Sec-WebSocket-Version is not 13"
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except ValueError:
        key = b""
    return "" if len(key) == 16 else "Sec-WebSocket-Key is not 16 bytes in base64"
