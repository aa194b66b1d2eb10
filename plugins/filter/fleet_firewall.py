"""``fleet_firewall``: the firewall rules of all hosts of a play, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.filters import filter_module
from ..plugin_utils.fleet_firewall import fleet_firewall as decide
from ..plugin_utils.fleet_firewall import told

DOCUMENTATION = """
name: fleet_firewall
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: The firewall rules of all hosts of a play
description:
  - Hosts of a project share a rule. Hosts that need different rules of one name are refused.
options:
  _input:
    description: The rules that P(exotel.voicebot.firewall_rule#lookup) returned, by host.
    type: dict
    required: true
  results:
    description: The results of the loop over the titles that made the rules so.
    type: list
    elements: dict
    default: []
  check_mode:
    description: The loop ran in check mode.
    type: bool
    default: false
  whole:
    description: These are all hosts that there are, so that a rule that none of them needs any more may go.
    type: bool
    default: true
"""

EXAMPLES = """
- name: Stop if no rule can be made
  ansible.builtin.assert:
    that: (rules_of_hosts | exotel.voicebot.fleet_firewall).refusal | length == 0
"""

RETURN = """
_value:
  description:
    - C(rules) by their titles, each once, also those that may be left over and have to go; C(without), the hosts that need none;
      C(refusal), why no rule can be made, else empty; C(told), lines about the C(results), warnings, and the hosts without.
  type: dict
"""


def fleet_firewall(
    hosts: Mapping[str, Sequence[Mapping[str, Any]]],
    results: Iterable[Mapping[str, Any]] = (),
    check_mode: bool = False,
    whole: bool = True,
) -> dict[str, Any]:
    """Return what `RETURN` says. Raises AnsibleFilterError for hosts whose rules are not those of the lookup firewall_rule."""
    try:
        fleet = decide(hosts, whole=whole)
        return {**fleet, "told": told(fleet, results, check=check_mode)}
    except KeyError as missing:
        raise AnsibleFilterError(f"fleet_firewall: a rule has no {missing}: give it those of the lookup firewall_rule") from None


FilterModule = filter_module(fleet_firewall)
