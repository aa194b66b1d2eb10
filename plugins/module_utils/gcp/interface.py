"""Pick the network interface of an instance that callers come to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ingress import Target, path
from .ranges import Ranges, family

_RUNNING = "RUNNING"
_PRIVATE = Ranges.of(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"])


@dataclass(frozen=True)
class Interface:
    """``internal`` and ``external`` are its addresses, at most one of each family."""

    name: str
    network: str
    internal: tuple[str, ...]
    external: tuple[str, ...]


class NoInterface(Exception):
    """The instance has no such network interface; the text says what it has."""


def interfaces(instance: Mapping[str, Any]) -> list[Interface]:
    """Return the interfaces of an instance, from the API's JSON."""
    return [_interface(nic) for nic in instance.get("networkInterfaces", ())]


def _interface(nic: Mapping[str, Any]) -> Interface:
    configs = [*nic.get("accessConfigs", ()), *nic.get("ipv6AccessConfigs", ())]
    external = tuple(filter(None, (config.get("natIP") or config.get("externalIpv6") for config in configs)))
    external_v6 = [address for address in external if ":" in address]
    # Of IPv6 there is one address, which is internal or external, and rules see it as it is.
    internal = [nic.get("networkIP"), nic.get("ipv6Address"), *external_v6]
    return Interface(nic["name"], path(nic.get("network", "")), tuple(filter(None, internal)), external)


def has_address(instance: Mapping[str, Any], address: str) -> bool:
    """Return True if one of its interfaces has ``address``, inside or outside."""
    return any(_has(nic, address) for nic in interfaces(instance))


def _has(nic: Interface, address: str) -> bool:
    return any(ipaddress.ip_address(own) == ipaddress.ip_address(address) for own in (*nic.internal, *nic.external))


def choose(instance: Mapping[str, Any], name: str | None, addresses: Sequence[str]) -> Interface:
    """The interface called ``name``, or that has one of ``addresses``, or the first with an external address, or the first.

    Raises NoInterface.
    """
    found = interfaces(instance)
    if name:
        wanted = [nic for nic in found if nic.name == name]
    elif addresses:
        wanted = [nic for address in addresses for nic in found if _has(nic, address)]
    else:
        wanted = [*(nic for nic in found if nic.external), *found]
    if not wanted:
        told = ", ".join(f"{nic.name} ({', '.join((*nic.internal, *nic.external))})" for nic in found)
        asked = name or f"with {' or '.join(addresses)}"
        raise NoInterface(f"instance {instance['name']} has no network interface {asked}; it has {told}")
    return wanted[0]


def target(instance: Mapping[str, Any], nic: Interface, through_internet: bool) -> Target:
    """Return the target that firewall rules are matched against."""
    accounts = (account.get("email", "") for account in instance.get("serviceAccounts", ()))
    tags = instance.get("tags", {}).get("items", ())
    return Target(nic.network, nic.internal, frozenset(tags), frozenset(filter(None, accounts)), through_internet)


def comes_through_internet(source: Ranges) -> bool:
    """Return True if callers from ``source`` come to an external address: not if all of them are private."""
    return bool(source - _PRIVATE)


def served(source: Ranges, nic: Interface, through_internet: bool) -> Ranges:
    """The part of ``source`` whose family has an address to come to."""
    there = Ranges()
    for address in nic.external if through_internet else nic.internal:
        there |= family(address)
    return source & there


def obstacles(instance: Mapping[str, Any], nic: Interface, source: Ranges, through_internet: bool) -> Iterator[str]:
    """Return why nothing arrives, whatever the firewall says."""
    status = instance.get("status", _RUNNING)
    if status != _RUNNING:
        yield f"instance {instance['name']} is {status}"
    if not served(source, nic, through_internet):
        kind = "external" if through_internet else "internal"
        yield f"{nic.name} of instance {instance['name']} has no {kind} address that {source.words()} could come to"
