"""Read the client that a proxy in front names in X-Forwarded-For."""

import contextlib
import ipaddress
import re
from collections.abc import Callable
from typing import Final

HEADER: Final = "X-Forwarded-For"
MOST_PROXIES: Final = 16
"""Most proxies, one behind the other, that are passed over."""
_ENTRY: Final = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|(?P<ipv4>[0-9.]{7,15})(?::[0-9]{1,5})?|(?P<ipv6>[0-9A-Fa-f:.]{2,45})"
)


class BadForwarded(ValueError):
    """The header does not name a client; the text says why, without any of its value."""


def client(value: str, is_proxy: Callable[[str], bool]) -> str:
    """Return the client's address from the header that a proxy sent: the last entry that is no proxy itself.

    What stands before it was written by the client, or by a proxy that is not ours, and is not read. If all entries are proxies,
    the first of them is the client. An entry may have a port, and brackets. Raises `BadForwarded`.
    """
    entries = value.rsplit(",", MOST_PROXIES)
    host = ""
    for entry in reversed(entries[-MOST_PROXIES:]):
        host = _address(entry.strip(" \t"))
        if not is_proxy(host):
            return host
    if len(entries) > MOST_PROXIES:
        raise BadForwarded(f"{HEADER} names more than {MOST_PROXIES} proxies of limits.proxies, one behind the other")
    return host


def canonical(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Return the usual spelling of an address; an IPv4 address in the form of IPv6 (::ffff:192.0.2.1) is one of IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _address(entry: str) -> str:
    found = _ENTRY.fullmatch(entry)
    if found is not None:
        with contextlib.suppress(ValueError):
            return canonical(ipaddress.ip_address(found["bracketed"] or found["ipv4"] or found["ipv6"]))
    raise BadForwarded(f"an entry of {HEADER} is no address: the proxy has to put its client's there (option forwardfor)")
