"""Keep credentials inside the server: remove those that the credentials' check accepts from each start message."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from msgspec.structs import replace

from exotel_ws.handshake import Credentials
from exotel_ws.protocol import Start
from exotel_ws.tap.redact.known import Secrets

_LEFT: Final = "[credential]"
_TEXTS: Final = ("stream_sid", "call_sid", "leg_sid", "account_sid", "from_", "to", "encoding", "rate_said")


class Withheld:
    """Removes the server's credentials from what modes, webhooks, prompts and records are told of a call."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        spellings = Secrets(credentials.spellings()).long
        # Decoding a query changes characters, and the mangling removes a "=" from the end.
        self._secrets = {some for one in spellings for some in (one.rstrip("="), unquote_plus(one).rstrip("="))} - {""}

    def leave_out(self, start: Start) -> Start:
        """Return ``start`` without parameters that are or contain a credential, in any spelling that the check accepts.

        In other texts the credential is replaced. ``start`` itself is returned if it holds none.
        """
        changed: dict[str, object] = {}
        for name in ("custom_parameters", "raw_parameters"):
            told: Mapping[str, str] = getattr(start, name)
            kept = {key: value for key, value in told.items() if not self._in_parameter(key, value)}
            if len(kept) < len(told):
                changed[name] = kept
        for name in _TEXTS:
            text: str = getattr(start, name)
            if self._contained(text):
                changed[name] = _LEFT
        return replace(start, **changed) if changed else start

    def _in_parameter(self, name: str, value: str) -> bool:
        return self._credentials.in_parameters({name: value}) or self._contained(name) or self._contained(value)

    def _contained(self, text: str) -> bool:
        decoded = unquote_plus(text)
        return any(secret in text or secret in decoded for secret in self._secrets)
