"""Read one firewall rule, as the Compute API tells it, for one question: which sources does it match on this port?

What follows is Google's: a packet to an external IPv4 address is translated first, so rules see the internal address as its
destination; tags and service accounts of a source are told by internal addresses, so they match nothing that comes to an
external one; the several kinds of source in a rule are alternatives, but for the network type, which has to hold as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ranges import EVERYWHERE, Ranges, family

IMPLIED = "implied"
_NUMBERS = {"tcp": "6", "udp": "17"}
_NOWHERE = Ranges()
_UNTELLABLE = {
    "srcRegionCodes": "countries",
    "srcThreatIntelligences": "threat lists",
    "srcFqdns": "names",
    "srcAddressGroups": "address groups",
    "srcSecureTags": "secure tags",
}
"""Kinds of source whose addresses only Google knows."""
_MOST_SOURCES = 6


@dataclass(frozen=True)
class Target:
    """The interface that is asked about. ``network`` is ``projects/PROJECT/global/networks/NAME``.

    ``internal`` are its addresses as rules see them, at most one of each family. ``through_internet`` says whether callers
    come to its external address.
    """

    network: str
    internal: tuple[str, ...]
    tags: frozenset[str]
    service_accounts: frozenset[str]
    through_internet: bool


@dataclass(frozen=True)
class Port:
    """``protocol`` is ``tcp`` or ``udp``."""

    number: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.protocol}:{self.number}"


@dataclass(frozen=True)
class Rule:
    """A rule that concerns the port and the target.

    ``sure`` are the sources that it matches, ``maybe`` those of which only Google can tell, by ``why``. ``action`` is
    ``allow``, ``deny``, ``goto_next`` or ``apply_security_profile_group``. ``name`` may be empty in a policy; there the
    priority is unique.
    """

    level: str
    policy: str
    name: str
    priority: int
    action: str
    match: str
    sure: Ranges
    maybe: Ranges = _NOWHERE
    why: str = ""

    def __str__(self) -> str:
        if not self.policy:
            return f"rule {self.name}, priority {self.priority}" if self.name else "the implied rule, as nothing allows it"
        name = f" ({self.name})" if self.name else ""
        return f"rule {self.priority}{name} of the {self.level} {self.policy}"


def path(link: str) -> str:
    """``projects/…`` of a link to a resource, so that links of different endpoints and versions compare."""
    return link[link.find("projects/") :] if "projects/" in link else link


def vpc_rule(rule: Mapping[str, Any], target: Target, port: Port) -> Rule | None:
    """A rule of the network itself; None where it does not concern the port, the target or any caller."""
    entries = rule.get("allowed") or rule.get("denied") or ()
    if not (_is_ingress(rule) and path(rule.get("network", "")) == target.network and _has_port(entries, port)):
        return None
    tags, accounts = set(rule.get("targetTags", ())), set(rule.get("targetServiceAccounts", ()))
    if (tags and not tags & target.tags) or (accounts and not accounts & target.service_accounts):
        return None
    ranges = rule.get("sourceRanges", ())
    by_instance = [*rule.get("sourceTags", ()), *rule.get("sourceServiceAccounts", ())]
    sure = Ranges.of(ranges) if ranges or by_instance else EVERYWHERE
    untold = [f"instances with {', '.join(by_instance)}"] if by_instance else []
    maybe = EVERYWHERE - sure if untold and not target.through_internet else _NOWHERE
    reached = _destined(rule.get("destinationRanges", ()), target)
    return _concerning(
        Rule(
            level="VPC rules",
            policy="",
            name=rule["name"],
            priority=rule.get("priority", 1000),
            action="allow" if rule.get("allowed") else "deny",
            match=_words([*ranges, *untold], entries, tags | accounts),
            sure=sure & reached,
            maybe=maybe & reached,
            why=" or ".join(untold),
        )
    )


def policy_rule(rule: Mapping[str, Any], level: str, policy: str, target: Target, port: Port) -> Rule | None:
    """A rule of a firewall policy; None where it does not concern the port, the target or any caller."""
    match = rule.get("match", {})
    entries = match.get("layer4Configs", ())
    if not (_is_ingress(rule) and _is_for(rule, target) and _has_port(entries, port)):
        return None
    ranges = match.get("srcIpRanges", ())
    untold = [f"{kind} {', '.join(names)}" for key, kind in _UNTELLABLE.items() if (names := _names(match.get(key, ())))]
    narrowed = any(match.get(key) for key in ("srcIpRanges", *_UNTELLABLE))
    sure = Ranges.of(ranges) if narrowed else EVERYWHERE
    maybe = EVERYWHERE - sure if untold else _NOWHERE
    network_type = match.get("srcNetworkType") or match.get("srcNetworkContext") or "UNSPECIFIED"
    holds = _comes_by(network_type, target)
    if holds is None:
        untold.append(f"network type {network_type}")
        sure, maybe = _NOWHERE, sure | maybe
    if holds is False:
        return None
    reached = _destined(match.get("destIpRanges", ()), target)
    return _concerning(
        Rule(
            level=level,
            policy=policy,
            name=rule.get("ruleName", ""),
            priority=rule.get("priority", 0),
            action=rule.get("action", ""),
            match=_words([*ranges, *untold], entries, rule.get("targetServiceAccounts", ())),
            sure=sure & reached,
            maybe=maybe & reached,
            why=" or ".join(untold),
        )
    )


def implied_deny() -> Rule:
    """Return what happens to a packet that no rule matches."""
    return Rule(IMPLIED, "", "", 65535, "deny", "anywhere to everything", EVERYWHERE)


def _is_ingress(rule: Mapping[str, Any]) -> bool:
    return rule.get("direction", "INGRESS") == "INGRESS" and not rule.get("disabled")


def _is_for(rule: Mapping[str, Any], target: Target) -> bool:
    """Return True if a policy's rule is for this instance. Of rules for secure tags Google returns those that are."""
    networks = [path(link) for link in rule.get("targetResources", ())]
    accounts = set(rule.get("targetServiceAccounts", ()))
    tags = rule.get("targetSecureTags", ())
    return (
        rule.get("targetType", "INSTANCES") == "INSTANCES"
        and not rule.get("targetForwardingRules")
        and (not networks or target.network in networks)
        and (not accounts or bool(accounts & target.service_accounts))
        and (not tags or bool(_names(tags)))
    )


def _has_port(entries: Iterable[Mapping[str, Any]], port: Port) -> bool:
    return any(
        _protocol(entry) in ("all", port.protocol, _NUMBERS[port.protocol]) and _in_ports(entry, port) for entry in entries
    )


def _protocol(entry: Mapping[str, Any]) -> str:
    """Spelled ``IPProtocol`` by a VPC rule, ``ipProtocol`` by a policy's."""
    return str(entry.get("IPProtocol") or entry.get("ipProtocol") or "").lower()


def _in_ports(entry: Mapping[str, Any], port: Port) -> bool:
    """Return True if one of the texts (``22``, ``8000-9000``) covers the port, or there is none."""
    spans = [str(text).partition("-") for text in entry.get("ports", ())]
    return not spans or any(int(first) <= port.number <= int(last or first) for first, _, last in spans)


def _destined(cidrs: Iterable[str], target: Target) -> Ranges:
    """The sources, by family, whose packets have a destination in ``cidrs``: an address speaks only to its own family."""
    wanted = Ranges.of(cidrs) or EVERYWHERE
    met = _NOWHERE
    for address in target.internal:
        if Ranges.of([address]) & wanted:
            met |= family(address)
    return met


def _comes_by(network_type: str, target: Target) -> bool | None:
    """Return True if callers come by a network of this type, None if it can't be told."""
    if network_type == "UNSPECIFIED":
        return True
    if target.through_internet or network_type in ("INTERNET", "NON_INTERNET"):
        return (network_type == "INTERNET") == target.through_internet
    return None


def _names(items: Iterable[Any]) -> list[str]:
    """Plain names, or those of secure tags that are in effect."""
    tags = ({"name": item} if isinstance(item, str) else item for item in items)
    return [tag["name"] for tag in tags if tag.get("state") != "INEFFECTIVE"]


def _concerning(rule: Rule) -> Rule | None:
    return rule if rule.sure | rule.maybe else None


def _words(sources: Sequence[str], entries: Iterable[Mapping[str, Any]], targets: Iterable[str]) -> str:
    """``from 10.0.0.0/8, instances with web to tcp:80,443 on voice``."""
    more = [f"{len(sources) - _MOST_SOURCES} more"] if len(sources) > _MOST_SOURCES else []
    ports = [":".join(filter(None, [_protocol(entry), ",".join(map(str, entry.get("ports", ())))])) for entry in entries]
    on = ", ".join(sorted(targets))
    came = ", ".join([*sources[:_MOST_SOURCES], *more]) or "anywhere"
    return f"from {came} to {', '.join(ports)}" + (f" on {on}" if on else "")
