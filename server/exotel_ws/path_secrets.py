"""Secrets in the paths at which Exotel asks over HTTP: it signs nothing, and shows nothing else that is secret."""

import hmac
import os
import re
from pathlib import Path
from typing import Final

from exotel_ws.settings import SettingsError

_LEAST: Final = 16
_MOST: Final = 256
_GOOD: Final = re.compile(rf"[A-Za-z0-9._~-]{{{_LEAST},{_MOST}}}")
_MOST_SECRETS: Final = 8


class PathSecrets:
    """Secrets that are good at once, so that one can be replaced while Exotel still shows the old one."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]

    @classmethod
    def load(cls, credential: str) -> "PathSecrets | None":
        """Read them, one a line, from a credential of systemd; return None if there is no such credential.

        Raises `SettingsError` for one that can't be used.
        """
        there = os.environ.get("CREDENTIALS_DIRECTORY", "")
        path = Path(there, credential)
        if not there or not path.exists():
            return None
        try:
            secrets = path.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError([f"the credential {credential} can't be read: {type(error).__name__}"]) from None
        bad = [number for number, secret in enumerate(secrets, 1) if not _GOOD.fullmatch(secret)]
        if bad or not 0 < len(secrets) <= _MOST_SECRETS:
            what = f"line {bad[0]} can't be the secret of a path" if bad else f"it holds {len(secrets)} secrets"
            expected = f"1 to {_MOST_SECRETS} lines, each of {_LEAST} to {_MOST} letters, digits and -._~, are expected"
            raise SettingsError([f"the credential {credential}: {what}; {expected}: openssl rand -hex 16 makes one"])
        return cls(secrets)

    def admit(self, shown: str) -> bool:
        """Return True if ``shown`` is one of the secrets. Takes constant time for each."""
        candidate = shown.encode(errors="surrogatepass")[: _MOST + 1]
        matches = [hmac.compare_digest(candidate, secret) for secret in self._secrets]
        return any(matches)
