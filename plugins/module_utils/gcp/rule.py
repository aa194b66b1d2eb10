"""A firewall rule in the words of the module's options: checked, in a normal form, merged with what exists, compared.

A rule in words is a dict with every key of FIELDS. What somebody asks for has only the keys that were given.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from .entries import check_protocols, normal_entries
from .faults import Fault

Words = dict[str, Any]
_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_RANGES = ("source_ranges", "destination_ranges")
_TAGS = ("source_tags", "target_tags")
_ACCOUNTS = ("source_service_accounts", "target_service_accounts")
_ACTIONS = ("allowed", "denied")
_SOURCES = ("source_ranges", "source_tags", "source_service_accounts")
_METADATA = "INCLUDE_ALL_METADATA"

# In the order in which people read a rule; the values are those of a new rule.
_DEFAULTS: Words = {
    "description": "",
    "network": "default",
    "direction": "INGRESS",
    "priority": 1000,
    "disabled": False,
    **{option: [] for option in (*_ACTIONS, *_RANGES, *_TAGS, *_ACCOUNTS)},
    "logging": {"enabled": False},
}
FIELDS = tuple(_DEFAULTS)

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_NAME_RULE = "1 to 63 lower-case letters, digits and hyphens, a letter first and no hyphen last"
_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NETWORK = re.compile(
    r"(?:(?:https?://[^/]+/(?:compute/[^/]+/)?)?(?:projects/(?P<project>[^/]+)/)?global/networks/)?(?P<name>[^/]+)"
)


def check_name(name: str) -> None:
    """Raise Fault unless `name` can be a rule's."""
    if not _NAME.fullmatch(name):
        raise _invalid("name", f"{name!r} cannot be a rule's name; it is {_NAME_RULE}")


def normal(options: Mapping[str, Any], project: str) -> Words:
    """Return those of `options` that are FIELDS and were given, in the normal form. Raises Fault for the first that is wrong."""
    wanted: Words = {}
    for option in FIELDS:
        given = options.get(option)
        if given is not None:
            wanted[option] = _normal_option(option, given, project)
    if not wanted.get("logging", {}).get("enabled", True) and wanted["logging"].get("metadata"):
        raise _invalid("logging", "metadata is only for a rule with logging.enabled=true")
    _check(wanted)
    return wanted


def _normal_option(option: str, given: Any, project: str) -> Any:
    if option in _ACTIONS:
        check_protocols(option, given)
        return normal_entries(option, given)
    if option in _RANGES:
        return _cidrs(option, given)
    if option in _TAGS:
        return _texts(option, given, _NAME, f"cannot be a network tag; it is {_NAME_RULE}")
    if option in _ACCOUNTS:
        return _texts(option, given, _ACCOUNT, "is not the email address of a service account")
    if option == "network":
        return _network(given, project)
    if option == "priority" and not 0 <= given <= 65535:
        raise _invalid("priority", f"{given} is not from 0 (first) to 65535 (last)")
    if option == "logging":
        return {key: value for key, value in given.items() if value is not None}
    return given


def _cidrs(option: str, given: Iterable[str]) -> list[str]:
    found = {_cidr(option, text.strip()) for text in given}
    return [str(network) for network in sorted(found, key=lambda network: (network.version, network))]


def _cidr(option: str, text: str) -> _Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _no_range(option, text) from None
    # Python knows addresses of one interface (fe80::1%eth0), Google does not.
    if "%" in text:
        raise _no_range(option, text)
    if ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        raise _invalid(option, f"{text} has bits set beyond its prefix; the network is {network}")
    return network


def _no_range(option: str, text: str) -> Fault:
    return _invalid(option, f"{text!r} is not a range of addresses such as 203.0.113.0/24 or 2001:db8::/32")


def _texts(option: str, given: Iterable[str], pattern: re.Pattern[str], complaint: str) -> list[str]:
    for text in given:
        if not pattern.fullmatch(text):
            raise _invalid(option, f"{text!r} {complaint}")
    return sorted(set(given))


def _network(given: str, project: str) -> str:
    found = _NETWORK.fullmatch(given)
    if not found or not _NAME.fullmatch(found.group("name")):
        raise _invalid("network", f"{given!r} is neither a network's name nor its link (projects/P/global/networks/N)")
    other = found.group("project")
    # A project has a number too, and a link may have either.
    if other and other != project and not other.isdigit() and not project.isdigit():
        raise _invalid(
            "network", f"{given} is not in project {project}; a rule is in its network's project (shared VPC: the host)"
        )
    return found.group("name")


def merged(before: Words | None, wanted: Words) -> Words:
    """Return the whole rule: what is `wanted`, where nothing was given what is there `before`, else the default.

    A rule without a source, or one for outgoing traffic without a destination, is for every address, as Google has it.
    Raises Fault where the whole does not fit together.
    """
    after = {**_DEFAULTS, **(before or {}), **wanted}
    for action, other in (_ACTIONS, _ACTIONS[::-1]):
        if wanted.get(action):
            after[other] = []
    if not (after["allowed"] or after["denied"]):
        raise _invalid("allowed", "a rule allows or denies something: one of allowed and denied is needed")
    after["logging"] = _logging((before or _DEFAULTS)["logging"], after["logging"])
    if after["direction"] == "INGRESS" and not any(after[option] for option in _SOURCES):
        after["source_ranges"] = [_everywhere(after["destination_ranges"])]
    if after["direction"] == "EGRESS" and not after["destination_ranges"]:
        after["destination_ranges"] = [_everywhere(after["source_ranges"])]
    _check(after)
    return after


def _logging(before: Words, wanted: Words) -> Words:
    whole = {**before, **wanted}
    return {"enabled": True, "metadata": whole.get("metadata", _METADATA)} if whole["enabled"] else {"enabled": False}


def _everywhere(others: Sequence[str]) -> str:
    return "::/0" if any(":" in text for text in others) else "0.0.0.0/0"


def _check(words: Words) -> None:
    """Raise Fault for what Google does not take together in one rule. Keys may be missing."""
    if words.get("allowed") and words.get("denied"):
        raise _invalid("denied", "a rule allows or denies, it does not do both: give either allowed or denied")
    for tags in _TAGS:
        for accounts in _ACCOUNTS:
            if words.get(tags) and words.get(accounts):
                raise _invalid(tags, f"a rule has tags or service accounts, not both; leave {tags} or {accounts} empty")
    for option in ("source_tags", "source_service_accounts"):
        if words.get("direction") == "EGRESS" and words.get(option):
            raise _invalid(option, "only for incoming traffic (direction=INGRESS)")
    families = {":" in text for option in _RANGES for text in words.get(option, ())}
    if len(families) > 1:
        option = next(option for option in reversed(_RANGES) if words.get(option))
        raise _invalid(option, "IPv4 and IPv6 ranges do not go together in one rule; make a rule for each")


def changed_fields(before: Words, after: Words) -> list[str]:
    """Return the options in which two whole rules differ."""
    return [option for option in FIELDS if before[option] != after[option]]


def fixed_fields(before: Words, after: Words) -> list[str]:
    """Return those differences for which Google has no update, so the rule has to be made again."""
    fixed = [option for option in ("network", "direction") if before[option] != after[option]]
    turned = bool(before["allowed"]) != bool(after["allowed"])
    return [*fixed, "action"] if turned else fixed


def opens_to_all(wanted: Words, after: Words) -> bool:
    """Tell whether `after` is for every address only because a list was given as empty, and nothing else is left."""
    option = "source_ranges" if after["direction"] == "INGRESS" else "destination_ranges"
    emptied = any(wanted.get(name) == [] for name in (*_SOURCES, "destination_ranges"))
    return emptied and not wanted.get(option) and after[option] in (["0.0.0.0/0"], ["::/0"])


def from_resource(resource: Mapping[str, Any]) -> Words:
    """Return the rule of Google's `resource` (a Firewall, its keys as the Python client names them) in words."""
    words = {**_DEFAULTS, **{key: resource[key] for key in _DEFAULTS if resource.get(key) not in (None, "", [])}}
    for action in _ACTIONS:
        entries = [{"protocol": entry["I_p_protocol"], "ports": entry.get("ports")} for entry in resource.get(action) or ()]
        words[action] = normal_entries(action, entries)
    for option in _RANGES:
        words[option] = _cidrs(option, words[option])
    for option in (*_TAGS, *_ACCOUNTS):
        words[option] = sorted(words[option])
    words["network"] = str(words["network"]).rpartition("/")[2]
    log = resource.get("log_config") or {}
    words["logging"] = _logging({"enabled": bool(log.get("enable"))}, {"metadata": log.get("metadata") or _METADATA})
    return words


def to_resource(name: str, words: Words, project: str) -> dict[str, Any]:
    """Return a whole rule as Google's resource, to be inserted, or put in place of another."""
    same = {option: words[option] for option in FIELDS if option not in (*_ACTIONS, "network", "logging")}
    log = words["logging"]
    return {
        "name": name,
        **same,
        **{
            action: [{"I_p_protocol": entry["protocol"], "ports": entry["ports"]} for entry in words[action]]
            for action in _ACTIONS
        },
        "network": f"projects/{project}/global/networks/{words['network']}",
        "log_config": {"enable": log["enabled"], **({"metadata": log["metadata"]} if log["enabled"] else {})},
    }


def _invalid(option: str, message: str) -> Fault:
    return Fault(f"{option}: {message}", reason="invalid")
