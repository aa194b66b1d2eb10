"""Judge if Exotel can reach an address; shared by the deploy, ``exotelctl url`` and the doctor, so that they agree."""

from __future__ import annotations

import ipaddress
import re
import socket

# Networks that can't be reached, but are given to hosts in examples, tests and labs.
_TEST_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "198.18.0.0/15")
)
_LOCAL_NAME = re.compile(r"localhost\.?|.*\.(localhost|local|lan|internal|home\.arpa)\.?", re.IGNORECASE)
_OLD_FORM = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)
CURE = "put the address that Exotel can reach in its place, and into exotel_ws_public_host"


def doubt(host: str) -> str | None:
    """Return why Exotel will not reach `host` from the internet; None if no reason is known.

    `host` is an address, with or without brackets, or a name; a name is judged only if it never leads out of a network.
    """
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    address = _address(name.partition("%")[0])
    if address is None:
        return _doubt_of_name(name)
    if address.is_unspecified:
        return f"{name} is a bind address, not one that can be called"
    if address.is_loopback:
        return f"{name} is this machine only"
    if address.is_link_local:
        return f"{name} is an address of one link only: Exotel cannot reach it from the internet"
    if address.is_multicast or not address.is_global:
        return f"{name} is not a public address: Exotel cannot reach it from the internet"
    return None


def is_of_a_test_network(host: str) -> bool:
    """Return True for an address of the networks for documentation and benchmarks, which only hosts of a lab have."""
    address = _address(host)
    return address is not None and any(address in network for network in _TEST_NETWORKS)


def _doubt_of_name(name: str) -> str | None:
    if not _LOCAL_NAME.fullmatch(name):
        return None
    if re.fullmatch(r"(.*\.)?localhost\.?", name, re.IGNORECASE):
        return f"{name} is this machine only"
    return f"{name} is a name of a private network: Exotel cannot look it up"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _old_form(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _old_form(text: str) -> ipaddress.IPv4Address | None:
    """Read ``127.1`` and ``0x7f.1``, which the resolver takes for addresses, too."""
    if not _OLD_FORM.fullmatch(text):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return None
