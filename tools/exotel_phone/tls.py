"""Check a server's certificate as Exotel does, or by a CA of one's own, and say what is wrong with one that does not hold."""

import ssl
from pathlib import Path
from typing import Final

from exotel_phone.command import command
from exotel_phone.exits import UsageFault
from exotel_phone.text import printable

UNTRUSTED: Final = "tls-issuer"
"""Kind of the fault of a certificate that no CA vouches for that is trusted here."""

_OWN_CA: Final = "--ca-file with that CA, if it is your own; Exotel needs a public one"
_CLOCK: Final = "look at both clocks: date -u"
_EXPIRED: Final = (
    "tls-expired",
    "it has expired",
    "renew it (on the host: exotelctl edge), and look at this machine's clock",
)
_NOT_YET: Final = ("tls-not-yet-valid", "it is not valid yet, so a clock is wrong, here or where it was issued", _CLOCK)
_NAME: Final = ("tls-name", "it is for another name than {host}", "give the name that it is for, or list this one in edge_domain")
_SELF_SIGNED: Final = (
    UNTRUSTED,
    "it is self-signed, which Exotel does not take",
    "--ca-file with it, if it is meant",
)
_UNKNOWN: Final = (UNTRUSTED, "it is from a CA that is not trusted here", _OWN_CA)
_NO_ISSUER: Final = (
    UNTRUSTED,
    "its issuer is not known: the chain is incomplete, or the CA is not a public one",
    "serve the certificate with its intermediate ones; or --ca-file with a CA of your own",
)
_BY_CODE: Final = {
    2: _NO_ISSUER,
    9: _NOT_YET,
    10: _EXPIRED,
    18: _SELF_SIGNED,
    19: _UNKNOWN,
    20: _NO_ISSUER,
    21: _NO_ISSUER,
    62: _NAME,
    64: _NAME,
}
"""By the code of OpenSSL's verification (x509_vfy.h): kind, what is wrong, and the cure."""
_PLAIN: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
_VERSION: Final = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW")


def context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that checks chain, dates and name: by this machine's CAs, or only by those of ``ca_file``.

    Raises UsageFault for a file that cannot be read or holds no certificate as PEM.
    """
    if ca_file is None:
        return ssl.create_default_context()
    try:
        made = ssl.create_default_context(cafile=str(ca_file))
    except ssl.SSLError:
        raise UsageFault(f"--ca-file {ca_file}: no certificate as PEM in it (-----BEGIN CERTIFICATE-----)") from None
    except OSError as error:
        raise UsageFault(f"--ca-file {ca_file}: {error.strerror or error}") from None
    # What the file names is trusted as it is, without its own issuer: an intermediate CA, or the server's certificate.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def fault(error: ssl.SSLError, netloc: str, host: str, port: int) -> tuple[str, str, str]:
    """Return the kind of a failure of TLS with ``netloc``, its cause in one sentence, and what to run or check next."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    look = command("openssl", "s_client", "-connect", place, "-servername", host, "-showcerts")
    said = str(error)
    if isinstance(error, ssl.SSLCertVerificationError) and (known := _BY_CODE.get(getattr(error, "verify_code", 0))):
        kind, wrong, cure = known
        return kind, f"the certificate of {netloc} does not hold: {wrong.format(host=host)}", f"{cure}; {look}"
    if any(word in said for word in _PLAIN):
        return (
            "tls-plain",
            f"{netloc} answers, but not in TLS",
            "ws:// if that port has no TLS; wss:// is for the edge, on 443",
        )
    if any(word in said for word in _VERSION):
        cause = f"{netloc} and this machine have no version of TLS in common: 1.2 and 1.3 are spoken here"
        return "tls-version", cause, f"upgrade what ends TLS there; {look}"
    cause = f"TLS with {netloc} failed: {printable(said)}; Exotel needs a public CA and the full chain"
    return "tls", cause, look
