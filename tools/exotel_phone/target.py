"""Parse the address of a server as the user typed it, and never show its secrets."""

import base64
import dataclasses
import re
import ssl
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from exotel_phone import tls
from exotel_phone.exits import UsageFault

SAMPLE_RATES = (8000, 16000, 24000)
"""Hz. Rates that Exotel offers."""

_RATE_KEYS = ("sample-rate", "sample_rate")
_SECURE = {"ws": False, "http": False, "wss": True, "https": True}
_EXAMPLE = "ws://203.0.113.10:8765?sample-rate=8000"


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Address of a server; ``path`` and ``query`` as typed, ``credential`` as ``user:token``. No repr shows a secret.

    ``addresses`` are those that ``host`` resolved to; if there are any, no other is connected to. ``ca_file`` holds the CAs to
    trust in place of this machine's.
    """

    secure: bool
    host: str
    port: int
    path: str
    query: str = dataclasses.field(repr=False)
    credential: str | None = dataclasses.field(default=None, repr=False)
    addresses: tuple[str, ...] = ()
    ca_file: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """Return the context that checks the server's certificate; None where there is no TLS. Raises UsageFault."""
        return tls.context(self.ca_file) if self.secure else None

    @property
    def netloc(self) -> str:
        """Return ``host:port``, brackets around IPv6; without the port if it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.secure) else f"{host}:{self.port}"

    @property
    def parameters(self) -> dict[str, str]:
        """Return the query as names and values."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def rate(self) -> int | None:
        """Return the rate (Hz) that the query asks for, None without one. Raises UsageFault for one that Exotel lacks."""
        said = next((self.parameters[key] for key in _RATE_KEYS if key in self.parameters), None)
        if said is None:
            return None
        if said not in map(str, SAMPLE_RATES):
            raise UsageFault(f"sample-rate={said} in the URL: Exotel streams at 8000, 16000 or 24000 Hz")
        return int(said)

    def asked_rate(self, option: int | None) -> int | None:
        """Return the rate (Hz) of the option ``--rate``, else of the URL; None if neither names one. Raises UsageFault."""
        if option is not None and option not in SAMPLE_RATES:
            raise UsageFault(f"--rate {option}: Exotel streams at 8000, 16000 or 24000 Hz")
        return option or self.rate

    def with_rate(self, rate: int) -> "Target":
        """Return the same address, asking for ``rate`` Hz."""
        others = [(key, value) for key, value in self.parameters.items() if key not in _RATE_KEYS]
        return dataclasses.replace(self, query=urlencode([*others, ("sample-rate", str(rate))]))

    def url(self, *, query: bool = True) -> str:
        """Return the WebSocket URL to connect to, without the credential; without its query if ``query`` is False."""
        scheme = "wss" if self.secure else "ws"
        return f"{scheme}://{self.netloc}{self.path}" + (f"?{self.query}" if query and self.query else "")

    def http(self, path: str) -> str:
        """Return the HTTP URL of ``path`` on the same host and port."""
        return f"{'https' if self.secure else 'http'}://{self.netloc}{path}"

    @property
    def shown(self) -> str:
        """Return the URL to print: no credential, and of the query only the sample rate (the rest may hold a token)."""
        pairs = [f"{key}={value if key in _RATE_KEYS else '…'}" for key, value in self.parameters.items()]
        return self.url(query=False) + (f"?{'&'.join(pairs)}" if pairs else "")

    @property
    def headers(self) -> dict[str, str]:
        """Return ``Authorization: Basic`` as Exotel makes it from a URL with a credential; empty without one."""
        if self.credential is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(self.credential.encode()).decode()}


def parse(text: str, credential_file: Path | None = None, ca_file: Path | None = None) -> Target:
    """Parse ``ws://``, ``wss://``, ``http://``, ``https://`` or a bare ``host:port``.

    ``credential_file`` holds lines ``user:token``; its first one is used, instead of one in the URL. ``ca_file`` holds the CAs
    to trust in place of this machine's, as PEM. Raises UsageFault.
    """
    shown = re.sub(r"(?<=//)[^/?#]*@", "", text)
    try:
        parts = urlsplit(text if "://" in text else f"ws://{text}")
        port = parts.port
    except ValueError as error:
        raise UsageFault(f"{shown!r} is not a URL ({error}); for example {_EXAMPLE}") from None
    if parts.scheme not in _SECURE:
        raise UsageFault(f"{parts.scheme}:// is not a scheme of a voice stream: use ws:// or wss://, for example {_EXAMPLE}")
    if not parts.hostname:
        raise UsageFault(f"{shown!r} names no host; for example {_EXAMPLE}")
    credential = _first_credential(credential_file) if credential_file else None
    if credential is None and parts.username is not None:
        credential = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    secure = _SECURE[parts.scheme]
    if ca_file and not secure:
        raise UsageFault(f"--ca-file is for TLS, and {shown} has none: use wss://")
    found = Target(secure, parts.hostname, port or _default_port(secure), parts.path, parts.query, credential, ca_file=ca_file)
    if ca_file:
        found.tls()  # a file that is of no use is told before anything is done
    return found


def _default_port(secure: bool) -> int:
    return 443 if secure else 80


def _first_credential(file: Path) -> str:
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageFault(f"credential file {file}: {reason}") from None
    found = next((line for line in lines if line and not line.startswith("#")), "")
    if ":" not in found:
        raise UsageFault(f"credential file {file}: no line of the form user:token")
    return found
