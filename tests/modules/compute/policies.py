"""Firewall policies of organisations, folders and networks, and the rules that the API calls effective on a VM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.modules.compute.discovery import Json

# Order of evaluation, apart from the place of the network's classic rules.
TYPES = ("HIERARCHY", "NETWORK", "NETWORK_REGIONAL")
# Every policy ends with these: a packet that no rule decides is left to the next policy.
LAST_RULES = tuple(
    {
        "priority": priority,
        "direction": direction,
        "action": "goto_next",
        "description": f"default {direction.lower()} rule{' ipv6' if '::' in everything else ''}",
        "match": {side: [everything], "layer4Configs": [{"ipProtocol": "all"}]},
    }
    for priority, direction, side, everything in (
        (2147483644, "EGRESS", "destIpRanges", "::/0"),
        (2147483645, "INGRESS", "srcIpRanges", "::/0"),
        (2147483646, "EGRESS", "destIpRanges", "0.0.0.0/0"),
        (2147483647, "INGRESS", "srcIpRanges", "0.0.0.0/0"),
    )
)


@dataclass(frozen=True)
class Policy:
    """Policy in the API's words, and its scope: one `network` (its link) or one `region`; None: everywhere."""

    said: Json
    network: str | None
    region: str | None

    def holds(self, network: str, region: str) -> bool:
        return self.network in (None, network) and self.region in (None, region)


def policy_said(policy_type: str, short_name: str, number: str, rules: Iterable[Json], priority: int) -> Json:
    """Return a policy in the API's words. `priority` is its association's, which a hierarchical one has not."""
    of_network = policy_type != "HIERARCHY"
    return {
        "type": policy_type,
        "name": short_name if of_network else number,
        "shortName": short_name,
        "displayName": short_name,
        "rules": [_rule(rule) for rule in (*rules, *LAST_RULES)],
        **({"priority": priority} if of_network else {}),
    }


def effective(policies: Iterable[Policy], network: str, region: str, accounts: set[str], secure_tags: set[str]) -> list[Json]:
    """Return the policies effective on a VM with these service accounts and secure tags, in the order of evaluation.

    A rule for certain accounts or tags is there only if the VM has one of them.
    """
    holding = [policy.said for policy in policies if policy.holds(network, region)]
    holding.sort(key=lambda said: (TYPES.index(said["type"]), said.get("priority", 0)))
    return [said | {"rules": [rule for rule in said["rules"] if _targets(rule, accounts, secure_tags)]} for said in holding]


def _rule(given: Json) -> Json:
    return {"kind": "compute#firewallPolicyRule", "direction": "INGRESS", "disabled": False, "enableLogging": False, **given}


def _targets(rule: Json, accounts: set[str], secure_tags: set[str]) -> bool:
    of_accounts = set(rule.get("targetServiceAccounts", []))
    of_tags = {tag["name"] for tag in rule.get("targetSecureTags", [])}
    return not (of_accounts or of_tags) or bool(of_accounts & accounts or of_tags & secure_tags)
