"""Read the header of the PROXY protocol, version 2, with which a proxy on TCP names its client.

See "The PROXY protocol" of HAProxy, section 2.2.
"""

import ipaddress
from typing import Final

from exotel_ws.engines.head import PROXY_V1, PROXY_V2, BadHead
from exotel_ws.forwarded import canonical

MOST: Final = 2048
"""Most bytes of addresses and additions (TLVs); an address has 36, a proxy that tells of its TLS some hundred more."""
_FIXED: Final = 16
_LOCAL, _PROXY = 0, 1
_TCP: Final = {0x11: 4, 0x21: 16}
"""Bytes of an address, by the byte of family and transport: TCP over IPv4, TCP over IPv6."""


class ProxyReader:
    """Collect a connection's first bytes as they come."""

    def __init__(self) -> None:
        self.data = bytearray()
        """Bytes received so far; once the header is complete, the bytes behind it."""
        self.host: str | None = None
        """The client's address; None if the proxy speaks for itself (LOCAL), as a health check does."""

    def feed(self, more: bytes | memoryview) -> bool:
        """Add bytes; return True once the header is complete. Raises `BadHead` as soon as they can't become one."""
        self.data += more
        data = self.data
        if len(data) < len(PROXY_V1) and PROXY_V1.startswith(data):
            return False
        if data.startswith(PROXY_V1):
            raise _bad("version 1 of the PROXY protocol, and only version 2 is read: send-proxy-v2 in HAProxy")
        if not data.startswith(PROXY_V2[: len(data)]):
            raise _bad("no header of the PROXY protocol, which proxy_protocol asks of each peer in limits.proxies: send-proxy-v2")
        if len(data) > 12 and data[12] >> 4 != 2:
            raise _bad(f"version {data[12] >> 4} of the PROXY protocol, and only version 2 is read")
        if len(data) < _FIXED:
            return False
        command, kind, length = data[12] & 0x0F, data[13], int.from_bytes(data[14:16], "big")
        if command not in (_LOCAL, _PROXY):
            raise _bad(f"command {command} of the PROXY protocol, and there are 0 and 1")
        if length > MOST:
            raise _bad(f"a header of the PROXY protocol with {length} bytes, and {MOST} are read")
        if command == _PROXY and (kind not in _TCP or length < 2 * _TCP[kind] + 4):
            raise _bad("a header of the PROXY protocol without the client's address over TCP")
        if len(data) < _FIXED + length:
            return False
        if command == _PROXY:
            self.host = canonical(ipaddress.ip_address(bytes(data[_FIXED : _FIXED + _TCP[kind]])))
        del data[: _FIXED + length]
        return True


def _bad(text: str) -> BadHead:
    return BadHead(400, "proxy_header", text)
