"""The first message of a TLS handshake, as Python's own client makes it."""

import contextlib
import ssl


def client_hello(name: str) -> bytes:
    """Return the record with the ClientHello for a server of this name."""
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()
