"""Keep credentials inside the server: remove those that the credentials' check accepts from each start message."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from msgspec.structs import replace

from exotel_ws.handshake import Credentials
from exotel_ws.protocol import Start
from exotel_ws.tap.redact.known import Secrets

_LEFT: Final = "[credential]"


class Withheld:
    """Remover of the server's credentials from the parameters that modes, webhooks, prompts and records get of a call."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        spellings = Secrets(credentials.spellings()).long
        # Decoding a query changes characters, and the mangling removes a "=" from the end.
        self._secrets = {some for one in spellings for some in (one.rstrip("="), unquote_plus(one).rstrip("="))} - {""}

    def leave_out(self, start: Start) -> Start:
        """Return ``start`` without parameters that are or contain a credential, in any spelling that the check accepts.

        In other texts the credential is replaced. ``start`` itself is returned if it holds none.
        """
        clean = replace(
            start,
            stream_sid=self._clean(start.stream_sid),
            call_sid=self._clean(start.call_sid),
            leg_sid=self._clean(start.leg_sid),
            account_sid=self._clean(start.account_sid),
            from_=self._clean(start.from_),
            to=self._clean(start.to),
            encoding=self._clean(start.encoding),
            rate_said=self._clean(start.rate_said),
            custom_parameters=self._without(start.custom_parameters),
            raw_parameters=self._without(start.raw_parameters),
        )
        return start if clean == start else clean

    def _clean(self, text: str) -> str:
        return _LEFT if self._contained(text) else text

    def _without(self, parameters: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in parameters.items() if not self._in_parameter(name, value)}

    def _in_parameter(self, name: str, value: str) -> bool:
        return bool(self._credentials.in_parameters({name: value})) or self._contained(name) or self._contained(value)

    def _contained(self, text: str) -> bool:
        decoded = unquote_plus(text)
        return any(secret in text or secret in decoded for secret in self._secrets)
