"""Look at the certificate that the edge serves, by a handshake, and at the one in its file, by ``openssl``."""

import ipaddress
import itertools
import re
import socket
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_MOST_BYTES: Final = 256 << 10
_MOST_CERTIFICATES: Final = 8
_TIMEOUT_S: Final = 2.0
_SHOWN: Final = (
    *("-subject", "-issuer", "-serial", "-startdate", "-enddate", "-fingerprint", "-sha1"),
    *("-nameopt", "RFC2253", "-ext", "subjectAltName"),
)
_ALARM_S: Final = 14 * 86400.0
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_NAME: Final = re.compile(r"\b(?:DNS|IP Address):([^,\s]+)")

VALID: Final = 0
NOT_YET_VALID: Final = 9
EXPIRED: Final = 10
SELF_SIGNED: Final = 18
"""Codes of OpenSSL's verification, of which 18 means a certificate that no CA has signed."""


class Unreadable(Exception):
    """A certificate that cannot be read; the text says why, ``needs`` what would help (``root``, ``openssl``)."""

    def __init__(self, why: str, needs: str = "") -> None:
        super().__init__(why)
        self.needs = needs


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificate as ``openssl x509`` reads it; times in Unix seconds, ``fingerprint`` the SHA-1 of it in hex."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    serial: str
    fingerprint: str
    not_before: float
    not_after: float

    @property
    def self_signed(self) -> bool:
        """Return True if its issuer is itself."""
        return self.subject == self.issuer

    @property
    def alarm_s(self) -> float:
        """Return how long before its end it should have been renewed: 14 days, or a third of a shorter life.

        One of six days is never 14 days good, and is renewed when about a half of them is left.
        """
        return min(_ALARM_S, (self.not_after - self.not_before) / 3)

    def covers(self, name: str) -> bool:
        """Return True if it was issued for ``name``, a name or an address."""
        return any(_covers(known, name) for known in self.names)


@dataclass(frozen=True, slots=True)
class Served:
    """Certificate that a client gets who asks for ``name``. ``code`` is the verdict of OpenSSL with this host's CAs, and ``said``
    its words; the name is not part of it. ``protocol`` is such as ``TLSv1.3``. ``health`` is the HTTP status of ``/health``
    through the same connection, 0 for no answer.
    """

    name: str
    code: int
    said: str
    protocol: str
    leaf: Certificate
    health: int = 0


def served(host: str, port: int, name: str) -> Served:
    """Shake hands at ``host`` as a client that wants ``name``. Raises OSError (ssl.SSLError among them) and Unreadable."""
    code, said = VALID, "ok"
    try:
        with _connected(host, port, name, verify=True):
            pass
    except ssl.SSLCertVerificationError as error:
        code, said = error.verify_code, error.verify_message
    with _connected(host, port, name, verify=False) as tls:
        der = tls.getpeercert(binary_form=True)
        protocol = tls.version() or ""
        health = _health(tls, name)
    if der is None:
        raise Unreadable(f"{host}:{port} sent no certificate")
    return Served(name, code, said, protocol, read(ssl.DER_cert_to_PEM_cert(der)), health)


def _health(tls: ssl.SSLSocket, name: str) -> int:
    """Return the status of ``GET /health``, 0 without an answer."""
    try:
        tls.sendall(f"GET /health HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        said = _STATUS.match(tls.recv(4096))
    except OSError:
        return 0
    return int(said[1]) if said else 0


def _connected(host: str, port: int, name: str, *, verify: bool) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False  # compared by itself, for every domain
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on, and not what Exotel asks
    raw = socket.create_connection((host, port), timeout=_TIMEOUT_S)
    try:
        return context.wrap_socket(raw, server_hostname=name)
    except BaseException:
        raw.close()
        raise


def in_file(file: Path) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM file in their order; its key is passed over. Raises Unreadable."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES).decode("ascii", "replace")
    except PermissionError:
        raise Unreadable(f"{file} may be read by root only", "root") from None
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from None
    blocks = _PEM.findall(text)
    if not blocks:
        raise Unreadable(f"{file} has no certificate in it")
    return tuple(map(read, blocks[:_MOST_CERTIFICATES]))


def read(pem: str) -> Certificate:
    """Return what one certificate says. Raises Unreadable."""
    text, _, names = _openssl(pem, *_SHOWN).partition("Subject Alternative Name")
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    try:
        return Certificate(
            subject=said["subject"],
            issuer=said["issuer"],
            names=tuple(_NAME.findall(names)),
            serial=said["serial"],
            fingerprint=said["sha1 Fingerprint"].replace(":", ""),
            not_before=float(ssl.cert_time_to_seconds(said["notBefore"])),
            not_after=float(ssl.cert_time_to_seconds(said["notAfter"])),
        )
    except (KeyError, ValueError) as error:
        raise Unreadable(f"openssl x509 says something else than expected: {error}") from None


def _openssl(pem: str, *arguments: str) -> str:
    command = ["openssl", "x509", "-noout", *arguments]
    try:
        done = subprocess.run(command, input=pem, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise Unreadable("there is no command openssl here", "openssl") from None
    except subprocess.TimeoutExpired:
        raise Unreadable(f"openssl x509: not done within {_TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        raise Unreadable(f"openssl x509: {done.stderr.strip().partition(chr(10))[0][:200]}")
    return done.stdout


def _covers(known: str, name: str) -> bool:
    """Compare as TLS clients do: an address with an address, a star for exactly the first label."""
    try:
        return ipaddress.ip_address(known) == ipaddress.ip_address(name)
    except ValueError:
        pass
    known, name = known.lower().rstrip("."), name.lower().rstrip(".")
    if known.startswith("*."):
        return name.partition(".")[2] == known[2:] and not name.startswith(".")
    return known == name


def breaks(chain: Sequence[Certificate]) -> str:
    """Say where a chain is not in order, each followed by the one that issued it; "" where it is."""
    for one, issuer in itertools.pairwise(chain):
        if one.issuer != issuer.subject:
            return f"{one.subject} was issued by {one.issuer}, and {issuer.subject} follows it"
    return ""
