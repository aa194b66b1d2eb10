"""Decide which addresses a request may be sent to: a name can lead anywhere, also to what trusts this machine."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Metadata services of clouds that are not at a link-local address: they give the machine's identity to whoever asks."""
_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
"""Networks whose addresses end in the IPv4 address that they lead to."""
_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")


class RefusedAddress(OSError):
    """A request would have gone to an address that is refused; the message says what kind it is."""


def refused(address: Address, *, allow_loopback: bool) -> str:
    """Return why nothing may be sent to ``address``: what kind it is; empty if it may."""
    for one in _meanings(address):
        if one.is_unspecified or one in _THIS_NETWORK:
            return "an unspecified address"
        if one.is_link_local or one in METADATA:
            return "a link-local address or a cloud's metadata service"
        if one.is_multicast or one == ipaddress.IPv4Address("255.255.255.255"):
            return "a multicast address"
        if one.is_loopback and not allow_loopback:
            return "this machine's loopback"
    return ""


def guarded(*, allow_loopback: bool) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Return what makes the socket of each connection, and raises `RefusedAddress` for an address that is refused.

    It is given the very address that is connected to, so no name can answer otherwise in between.
    """

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        if why := refused(ipaddress.ip_address(where[0]), allow_loopback=allow_loopback):
            raise RefusedAddress(f"leads to {why}")
        return socket.socket(family, kind, protocol)

    return make


def literal(url: str) -> Address | None:
    """Return the address that stands in ``url`` as its host; None if that is a name."""
    try:
        return ipaddress.ip_address((urlsplit(url).hostname or "").partition("%")[0])
    except ValueError:
        return None


def names_loopback(url: str) -> bool:
    """Return True if the host of ``url`` says itself that it is this machine: ``localhost`` or a loopback address."""
    address = literal(url)
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    return any(one.is_loopback for one in _meanings(address)) if address else host == "localhost" or host.endswith(".localhost")


def _meanings(address: Address) -> Iterator[Address]:
    """Yield ``address``, and the IPv4 address that a translator or a tunnel reads in it."""
    if isinstance(address, ipaddress.IPv6Address):
        address = ipaddress.IPv6Address(int(address))  # without the interface after a "%"
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield address.teredo[1]
        if any(address in network for network in _EMBEDDING) and int(address) > 1:
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
