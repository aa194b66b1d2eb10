"""Choose the generation that each host of a fleet goes back to, before any host is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plugin_utils.filters import filter_module

DOCUMENTATION = r"""
name: fleet_rollback
short_description: Decide where the hosts of a fleet go back to
description:
  - A generation has another name on each host; what a fleet goes back to is a release. Without one each host goes back to what
    served before, if that is the same release everywhere; else to what served before of another release, if that is.
  - A host that has nothing to go back to is left alone, and named with the reason.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
positional: _input
options:
  _input:
    description: What exotel.voicebot.generation_info returned as C(back), by host.
    type: dict
    required: true
  release:
    description: The release that all hosts go back to.
    type: str
    default: ""
  generation:
    description: The generation to go back to, for one host.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    decision: "{{ {'exo-a': back_of_a, 'exo-b': back_of_b} | exotel.voicebot.fleet_rollback }}"
"""

RETURN = r"""
_value:
  description:
    - C(targets), the generation that each host goes back to; C(left), why a host is left alone; C(serves), the hosts that serve
      the release already; C(refusal), why nothing can be done, else empty.
  type: dict
"""


def fleet_rollback(hosts: Mapping[str, Mapping[str, Any]], release: str = "", generation: str = "") -> dict[str, Any]:
    """Return `targets`, `left`, `serves` and `refusal`, as documented above."""
    if generation:
        return _by_generation(hosts, generation)
    if release:
        return _by_release(hosts, release)
    return _by_history(hosts)


def _by_generation(hosts: Mapping[str, Mapping[str, Any]], generation: str) -> dict[str, Any]:
    if len(hosts) == 1:
        return _decision(dict.fromkeys(hosts, generation))
    cure = "add --limit HOST, or name what all hosts have: -e exotel_ws_release=RELEASE"
    return _decision(refusal=f"generation {generation} is of one host, and {len(hosts)} are to go back: {cure}")


def _by_release(hosts: Mapping[str, Mapping[str, Any]], release: str) -> dict[str, Any]:
    """Compare releases by source: on hosts with another Python, the same source has a release of another name."""
    known = [back["releases"][release]["source"] for back in hosts.values() if release in back["releases"]]
    source = known[0] if known else release
    serves = [host for host, back in hosts.items() if (back["serving"] or {}).get("source") == source]
    rest = {host: back for host, back in hosts.items() if host not in serves}
    found = {
        host: one["generation"]
        for host, back in rest.items()
        for one in sorted(back["releases"].values(), key=lambda one: str(one["generation"]))
        if one["source"] == source
    }
    left = {
        host: f"release {release} never served here, or is gone. It has: {', '.join(back['releases']) or 'none'}"
        for host, back in rest.items()
        if host not in found
    }
    return _decision(found, left, serves)


def _by_history(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    left = {host: back["reason"] for host, back in hosts.items() if not back["previous"]}
    going = {host: back for host, back in hosts.items() if back["previous"]}
    for kind in ("previous", "other_release"):
        found = {host: back[kind] for host, back in going.items() if back[kind]}
        lacking = {host: "nothing of another release served here before" for host in going if host not in found}
        if len({one["source"] for one in found.values()}) == 1:
            return _decision({host: one["generation"] for host, one in found.items()}, {**left, **lacking})
    if not going:
        return _decision(left=left)
    each = ", ".join(f"{host} to {back['previous']['release']}" for host, back in sorted(going.items()))
    return _decision(refusal=f"the hosts would go back to different releases ({each}). Name one: -e exotel_ws_release=RELEASE")


def _decision(
    targets: Mapping[str, str] | None = None,
    left: Mapping[str, str] | None = None,
    serves: list[str] | None = None,
    refusal: str = "",
) -> dict[str, Any]:
    if left and not targets and not serves and not refusal:
        refusal = "; ".join(f"{host}: {why}" for host, why in sorted(left.items()))
    return {"targets": dict(targets or {}), "left": dict(left or {}), "serves": list(serves or ()), "refusal": refusal}


def way_back(decision: Mapping[str, Any], host: str, back: Mapping[str, Any], foreseen: Mapping[str, Any]) -> str:
    """Return where `host` goes back to and which parts of it change, or why it stays, as one sentence.

    `back` is what the host can go back to; `foreseen` has the ``release`` that is to serve and the ``reason`` with what changes.
    Only a host that goes back needs it.
    """
    if host in decision["targets"]:
        target, serves = decision["targets"][host], (back["serving"] or {}).get("release")
        moves = f"release {serves} to {foreseen['release']}" if serves != foreseen["release"] else f"release {serves} stays"
        parts = [part for part in foreseen.get("reason", "").removeprefix("changed: ").split(", ") if part not in ("", "release")]
        changes = f"; changed: {', '.join(parts)}" if parts else ""
        return f"{moves}, generation {target}{changes}{_passed_over(back, target)}"
    return f"left alone: {decision['left'][host]}" if host in decision["left"] else "serves that release already"


def _passed_over(back: Mapping[str, Any], target: str) -> str:
    """Return the generations that were no choice; "" where the target is another than what served before."""
    names = back.get("passed_over") or []
    if not names or target != (back["previous"] or {}).get("generation"):
        return ""
    differ = "differs" if len(names) == 1 else "differ"
    return f"; passed over: {', '.join(names)}, which {differ} in stream keys only, and those stay as they are"


FilterModule = filter_module(fleet_rollback, way_back)
