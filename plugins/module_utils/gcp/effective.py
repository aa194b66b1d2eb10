"""Judge which sources get through to a port: the rules in Google's order of evaluation, and what they come to.

Pure: what the API told goes in, a verdict comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ingress import IMPLIED, Port, Rule, Target, implied_deny, policy_rule, vpc_rule
from .ranges import Ranges

_LEVELS = {
    "HIERARCHY": "hierarchical policy",
    "SYSTEM_GLOBAL": "system policy",
    "SYSTEM_REGIONAL": "regional system policy",
    "NETWORK": "global network policy",
    "NETWORK_REGIONAL": "regional network policy",
}
_FIRST = ("HIERARCHY", "SYSTEM_GLOBAL", "SYSTEM_REGIONAL")
NETWORK_POLICIES = ("NETWORK", "NETWORK_REGIONAL")
"""Types of policies that stand before or after the VPC rules, as the network says."""
_INSPECT = "apply_security_profile_group"
_DOES = {
    "allow": "allows",
    "deny": "denies",
    "goto_next": "passes on",
    _INSPECT: "has what is sent inspected, and only then decides",
}
_VERDICTS = {"yes": "allowed", "no": "denied"}
_NOWHERE = Ranges()
_MOST_RULES = 3


class Unreadable(Exception):
    """The API told something whose place or meaning is not known here."""


@dataclass(frozen=True)
class Share:
    """A part of the sources that gets the same answer. ``reachable`` is ``yes``, ``no`` or ``unknown``.

    ``rules`` decide it, those for most addresses first and the implied one last. Of an unknown share ``doubts`` are the reasons.
    """

    source: Ranges
    reachable: str
    rules: tuple[Rule, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """``reachable`` is ``yes``, ``no``, ``partly`` or ``unknown``; ``text`` says it in a sentence."""

    reachable: str
    text: str
    shares: tuple[Share, ...]


def in_order(effective: Mapping[str, Any], policies_first: bool, target: Target, port: Port) -> list[list[Rule]]:
    """The rules that concern the port, level after level, each in its order of evaluation; the implied one is the last.

    ``effective`` is the answer of instances.getEffectiveFirewalls, ``policies_first`` whether the network puts its policies
    before its VPC rules. Raises Unreadable.
    """
    policies = effective.get("firewallPolicys", ())
    for policy in policies:
        if policy.get("type") not in _LEVELS:
            raise Unreadable(
                f"firewall policy {_name(policy)} has the type {policy.get('type')}: its place in the order is not known"
            )
    first = [level for kind in _FIRST for level in _policies(policies, kind, target, port)]
    network = [level for kind in NETWORK_POLICIES for level in _policies(policies, kind, target, port)]
    found = (vpc_rule(rule, target, port) for rule in effective.get("firewalls", ()))
    # Of rules with one priority those that deny win.
    vpc = sorted(filter(None, found), key=lambda rule: (rule.priority, rule.action != "deny"))
    return [*first, *([*network, vpc] if policies_first else [vpc, *network]), [implied_deny()]]


def _policies(policies: Sequence[Mapping[str, Any]], kind: str, target: Target, port: Port) -> Iterable[list[Rule]]:
    """Google returns hierarchical policies from the organisation down, and has priorities for the others."""
    for policy in sorted((one for one in policies if one["type"] == kind), key=lambda one: one.get("priority", 0)):
        found = (policy_rule(rule, _LEVELS[kind], _name(policy), target, port) for rule in policy.get("rules", ()))
        yield sorted(filter(None, found), key=lambda rule: rule.priority)


def _name(policy: Mapping[str, Any]) -> str:
    return str(policy.get("shortName") or policy.get("displayName") or policy.get("name", ""))


def judge(levels: Sequence[Sequence[Rule]], source: Ranges, port: Port) -> Verdict:
    """Return the verdict of ``levels`` for callers from ``source``. Raises Unreadable for an action that is not known."""
    outcomes = _outcomes(levels, source)
    allowed, denied, inspected = (
        _union(met for rule, met in outcomes if rule.action == action) for action in ("allow", "deny", _INSPECT)
    )
    yes, no = allowed - denied - inspected, denied - allowed - inspected
    unknown = source - yes - no
    shares = [_share(kind, part, outcomes) for kind, part in (("yes", yes), ("no", no), ("unknown", unknown)) if part]
    return Verdict(shares[0].reachable if len(shares) == 1 else "partly", _sentence(port, shares), tuple(shares))


def _outcomes(levels: Sequence[Sequence[Rule]], source: Ranges) -> list[tuple[Rule, Ranges]]:
    """Return each rule that may decide for some packets, with their sources.

    A rule that only may match ends the way and lets it go on: its sources are in the outcomes of several rules, which is how
    doubt shows, and does not show where all of them say the same.
    """
    outcomes = []
    arriving = source
    for level in levels:
        passed = _NOWHERE
        for rule in level:
            if rule.action not in _DOES:
                raise Unreadable(f"{rule} has the action {rule.action!r}: what it does is not known")
            met = arriving & (rule.sure | rule.maybe)
            outcomes.append((rule, met))
            if rule.action == "goto_next":
                passed |= met
            arriving -= rule.sure
        arriving |= passed
    return [(rule, met) for rule, met in outcomes if met]


def _share(reachable: str, part: Ranges, outcomes: Sequence[tuple[Rule, Ranges]]) -> Share:
    met_here = [(rule, (met & part).size) for rule, met in outcomes if met & part]
    rules = [(rule, size) for rule, size in met_here if rule.action != "goto_next"]
    if reachable != "unknown":
        rules.sort(key=lambda one: (one[0].level == IMPLIED, -one[1]))
        return Share(part, reachable, tuple(rule for rule, _ in rules))
    return Share(part, reachable, tuple(rule for rule, _ in rules), tuple(_doubts(part, [rule for rule, _ in met_here])))


def _doubts(part: Ranges, rules: Iterable[Rule]) -> Iterable[str]:
    for rule in rules:
        if rule.action == _INSPECT:
            yield f"{rule} {_DOES[rule.action]}"
        elif rule.maybe & part:
            yield f"{rule} {_DOES[rule.action]} {rule.why}, and only Google knows who that is"


def _union(parts: Iterable[Ranges]) -> Ranges:
    whole = _NOWHERE
    for part in parts:
        whole |= part
    return whole


def _sentence(port: Port, shares: Sequence[Share]) -> str:
    """The shares in words; of several the one with the most ranges is ``everywhere else``."""
    rest = max(shares, key=lambda share: len(share.source.intervals)) if len(shares) > 1 else None
    parts = []
    for share in sorted(shares, key=lambda share: share is rest):
        where = "" if len(shares) == 1 else " from everywhere else" if share is rest else f" from {share.source.words()}"
        parts.append(_part(share, where))
    return f"{port} is {', '.join(parts)}"


def _part(share: Share, where: str) -> str:
    names = list(map(str, share.rules[:_MOST_RULES]))
    names += [f"{len(share.rules) - _MOST_RULES} more"] if len(share.rules) > _MOST_RULES else []
    if share.reachable != "unknown":
        return f"{_VERDICTS[share.reachable]}{where} by {' and '.join(names)}"
    otherwise = share.rules[-1]
    return f"perhaps reachable{where}, perhaps not: {share.doubts[0]}; otherwise {otherwise} {_DOES[otherwise.action]} it"
