"""Decide which networks the sandbox of AI mode lets the server reach. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

RELAY = "127.69.53.1"
"""Address of the DNS relay: a loopback address that no other service is likely to use."""

_METADATA = ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
_LINK_LOCAL = ("169.254.0.0/16", "fe80::/10", "64:ff9b::a9fe:0/112")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?(:[0-9]+)?")
_HOST_OPTIONS = re.compile(r"(^|_)(url|uri|endpoint|server|host|address|base)(_|$)")


def reachable_networks(resolv_conf: str, settings: Mapping[str, Any], networks: Iterable[str] = ()) -> dict[str, Any]:
    """Return `deny` and `allow` for ``IPAddressDeny=`` and ``IPAddressAllow=``, `relay` and `resolv_conf`.

    `resolv_conf` is the host's, `settings` the table ``ai``, `networks` are reached besides. A cloud's metadata service hands out
    the machine's identity to any local user, so no setting opens one. Private networks are closed unless a setting names a host
    by its name, which may be there. Where the host's resolver is at a metadata service, as on Google Cloud, `relay` is its
    address, for a unit of systemd to relay names to, and `resolv_conf` goes in place of the host's file; else both are empty.
    Raises ValueError if one of `networks` is no network.
    """
    allow, by_name = [str(ipaddress.ip_network(network, strict=False)) for network in networks], False
    for host in _hosts(settings):
        address = _address(host)
        if address is None:
            by_name |= not (host == "localhost" or host.endswith(".localhost"))
        elif not address.is_loopback and str(address) not in _METADATA:
            allow.append(str(address))
    resolvers = [address for line in resolv_conf.splitlines() if (address := _nameserver(line))]
    relay = next((str(address) for address in resolvers if str(address) in _METADATA), "")
    allow += [str(address) for address in resolvers if str(address) not in _METADATA and not address.is_loopback]
    # Allowed networks take precedence over denied ones: a network that contains a metadata service would open it.
    narrow = [one for network in dict.fromkeys(allow) for one in _without_metadata(network)]
    return {
        "deny": [*_METADATA, *_LINK_LOCAL, *(() if by_name else _PRIVATE)],
        "allow": narrow,
        "relay": relay,
        "resolv_conf": _relayed(resolv_conf) if relay else "",
    }


def _hosts(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield each host that the settings name."""
    told = [
        settings.get("webhook_url"),
        settings.get("start_url"),
        settings.get("ended_url"),
        *(tool.get("url") for tool in (settings.get("tools") or {}).values()),
    ]
    for service in (settings.get("services") or {}).values():
        told.append(service.get("base_url"))
        told += [value for name, value in (service.get("options") or {}).items() if _HOST_OPTIONS.search(str(name))]
    for text in told:
        if not isinstance(text, str) or not text:
            continue
        if "://" not in text and not _HOST.fullmatch(text.partition("/")[0]) and _address(text) is None:
            continue
        if _address(text) is not None:
            yield text
            continue
        try:
            host = urlsplit(text if "://" in text else f"//{text}").hostname
        except ValueError:
            continue
        if host:
            yield host


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _nameserver(line: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    words = line.split()
    return _address(words[1]) if len(words) > 1 and words[0] == "nameserver" else None


def _without_metadata(network: str) -> list[str]:
    parts = [ipaddress.ip_network(network)]
    for address in _METADATA:
        hole = ipaddress.ip_network(address)
        cut: list[Any] = []
        for part in parts:
            inside = part.version == hole.version and hole.subnet_of(part)  # type: ignore[arg-type]
            cut += part.address_exclude(hole) if inside else [part]  # type: ignore[arg-type]
        parts = cut
    return [str(part.network_address) if part.num_addresses == 1 else str(part) for part in parts]


def _relayed(resolv_conf: str) -> str:
    """Return resolv.conf with the relay first and without metadata services; ``use-vc`` because it relays TCP only."""
    kept = [line for line in resolv_conf.splitlines() if not (_nameserver(line) and str(_nameserver(line)) in _METADATA)]
    return "\n".join([f"nameserver {RELAY}", *(line for line in kept if line.strip()), "options use-vc", ""])
