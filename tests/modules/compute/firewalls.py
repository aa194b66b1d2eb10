"""compute.firewalls: rules as the API stores them, and its refusals of rules and changes.

The refusals follow Google's reference and its guide "Use VPC firewall rules": name, network, direction and action of a
rule stay what they are; a rule has ranges of IPv4 or of IPv6.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tests.modules.compute.answers import ApiError, Call, already_exists, invalid, not_found
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import link, now, numeric_id
from tests.modules.compute.pages import page
from tests.modules.compute.store import Store

PROTOCOLS = ["ah", "all", "esp", "icmp", "ipip", "sctp", "tcp", "udp"]
WITH_PORTS = {"tcp", "udp", "sctp", "6", "17", "132"}
PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
DEFAULTS: Json = {
    "description": "",
    "network": "global/networks/default",
    "priority": 1000,
    "direction": "INGRESS",
    "disabled": False,
}
GIVEN_BY_SERVER = ("kind", "id", "creationTimestamp", "name", "selfLink")
# Fields that exclude one another: with the first there must be none of the others.
EXCLUDES = {
    "sourceServiceAccounts": ("sourceTags", "targetTags"),
    "targetServiceAccounts": ("sourceTags", "targetTags"),
}


def get(store: Store, call: Call) -> Json:
    return _found(store, call)


def list_(store: Store, call: Call) -> Json:
    return page(call, "compute#firewallList", store.firewalls(call.project).values(), store.page_size)


def insert(store: Store, call: Call) -> Json:
    name, path = call.body["name"], _path(call.project, call.body["name"])
    if name in store.firewalls(call.project):
        raise already_exists(path)
    by_server = {
        "kind": "compute#firewall",
        "id": numeric_id(),
        "creationTimestamp": now(),
        "name": name,
        "selfLink": link(path),
    }
    rule = by_server | _stated(store, call, call.body)
    return store.operations.begin(call, "insert", path, rule["id"], lambda: store.firewalls(call.project).update({name: rule}))


def update(store: Store, call: Call) -> Json:
    """Replace a rule (PUT): a field that is not in the body gets its default."""
    return _change(store, call, "update", call.body)


def patch(store: Store, call: Call) -> Json:
    """Change a rule (PATCH): a field that is not in the body stays."""
    kept = {name: value for name, value in _found(store, call).items() if name not in GIVEN_BY_SERVER}
    return _change(store, call, "patch", kept | call.body)


def delete(store: Store, call: Call) -> Json:
    rule = _found(store, call)
    rules = store.firewalls(call.project)
    return store.operations.begin(
        call, "delete", _path(call.project, rule["name"]), rule["id"], lambda: _drop(rules, rule["name"])
    )


def _change(store: Store, call: Call, kind: str, body: Json) -> Json:
    before = _found(store, call)
    if body.get("name", before["name"]) != before["name"]:
        raise invalid(
            "resource.name", body["name"], f"Must be '{before['name']}': the name of a firewall rule cannot be changed."
        )
    after = {name: before[name] for name in GIVEN_BY_SERVER} | _stated(store, call, body)
    for fixed in ("network", "direction"):
        if after[fixed] != before[fixed]:
            raise invalid(f"resource.{fixed}", after[fixed], f"The {fixed} of a firewall rule cannot be changed.")
    if ("allowed" in after) != ("allowed" in before):
        raise invalid("resource.allowed", after.get("allowed", []), "The action of a firewall rule cannot be changed.")
    rules = store.firewalls(call.project)
    return store.operations.begin(
        call, kind, _path(call.project, before["name"]), before["id"], lambda: rules.update({before["name"]: after})
    )


def _stated(store: Store, call: Call, body: Json) -> Json:
    """Return the rule in `body` with the defaults; an empty list is as none. Raises ApiError: such a rule cannot be."""
    given = {name: value for name, value in body.items() if value not in ([], {}) and name not in ("params", *GIVEN_BY_SERVER)}
    rule: Json = DEFAULTS | given
    rule["network"] = store.network(rule["network"], call.project)["selfLink"]
    rule["logConfig"] = _log_config(rule.get("logConfig", {}))
    _refuse(rule)
    if rule["direction"] == "EGRESS":
        rule.setdefault("destinationRanges", ["0.0.0.0/0"])
    elif not any(name in rule for name in ("sourceRanges", "sourceTags", "sourceServiceAccounts")):
        rule["sourceRanges"] = ["0.0.0.0/0"]
    return rule


def _log_config(given: Json) -> Json:
    if given.get("enable"):
        return {"metadata": "INCLUDE_ALL_METADATA"} | given
    if "metadata" in given:
        raise invalid("resource.logConfig.metadata", given["metadata"], "Can only be specified if logging is enabled.")
    return {"enable": False}


def _refuse(rule: Json) -> None:
    """Raise ApiError (400) for the first mistake in a rule."""
    if ("allowed" in rule) == ("denied" in rule):
        raise ApiError(400, "invalid", "Exactly one of 'resource.allowed' and 'resource.denied' must be specified.")
    if not 0 <= rule["priority"] <= 65535:
        raise invalid("resource.priority", rule["priority"], "Must be between 0 and 65535, inclusive.")
    for action in ("allowed", "denied"):
        for index, one in enumerate(rule.get(action, [])):
            _refuse_ports(one, f"resource.{action}[{index}]")
    if rule["direction"] == "EGRESS":
        for name in ("sourceTags", "sourceServiceAccounts"):
            if name in rule:
                raise invalid(f"resource.{name}", rule[name], "Cannot be specified for an EGRESS rule.")
    for name, others in EXCLUDES.items():
        for other in others:
            if name in rule and other in rule:
                raise invalid(f"resource.{other}", rule[other], f"Cannot be specified together with {name}.")
    versions = {version for name in ("sourceRanges", "destinationRanges") for version in _versions(rule, name)}
    if len(versions) > 1:
        raise ApiError(400, "invalid", "IPv4 and IPv6 ranges cannot be in the same firewall rule.")


def _refuse_ports(one: Json, at: str) -> None:
    protocol = one.get("IPProtocol", "")
    if protocol not in PROTOCOLS and not (protocol.isdecimal() and int(protocol) <= 255):
        words = ", ".join(f'"{name}"' for name in PROTOCOLS)
        raise invalid(f"{at}.IPProtocol", protocol, f"Must be one of [{words}] or an IP protocol number between 0 and 255.")
    for index, text in enumerate(one.get("ports", [])):
        match = PORTS.fullmatch(text)
        if not match or int(match[1]) > int(match[2] or match[1]) or int(match[2] or match[1]) > 65535:
            raise invalid(f"{at}.ports[{index}]", text, "Must be an integer or a range of integers between 0 and 65535.")
        if protocol not in WITH_PORTS:
            raise invalid(f"{at}.ports[{index}]", text, f"Ports may not be specified for protocol {protocol}.")


def _versions(rule: Json, name: str) -> Iterator[int]:
    for index, text in enumerate(rule.get(name, [])):
        try:
            yield ipaddress.ip_network(text).version
        except ValueError:
            raise invalid(f"resource.{name}[{index}]", text, "Must be a valid CIDR address range.") from None


def _found(store: Store, call: Call) -> Json:
    """Return the rule of the path, by its name or by its number. Raises ApiError (404)."""
    wanted = call.path["firewall"]
    for rule in store.firewalls(call.project).values():
        if wanted in (rule["name"], rule["id"]):
            return rule
    raise not_found(_path(call.project, wanted))


def _path(project: str, name: str) -> str:
    return f"projects/{project}/global/firewalls/{name}"


def _drop(rules: dict[str, Json], name: str) -> None:
    rules.pop(name, None)


HANDLERS = {
    "compute.firewalls.get": get,
    "compute.firewalls.list": list_,
    "compute.firewalls.insert": insert,
    "compute.firewalls.update": update,
    "compute.firewalls.patch": patch,
    "compute.firewalls.delete": delete,
}
