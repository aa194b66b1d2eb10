"""``edge_readiness``: whether the edge can be deployed to a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.edge_readiness import edge_readiness as judge
from ..plugin_utils.filters import filter_module

DOCUMENTATION = """
name: edge_readiness
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Whether the edge can be deployed to a host
description:
  - Judges the facts that the role C(edge) reads from a host, and names each problem with its cure.
options:
  _input:
    description: The facts that M(exotel.voicebot.look) returned.
    type: dict
    required: true
  ports:
    description: The ports that the edge is to listen on, by the names of their variables.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Stop if the edge cannot run here
  ansible.builtin.assert:
    that: readiness.problems | length == 0
  vars:
    readiness: "{{ seen.facts | exotel.voicebot.edge_readiness({'edge_port': 443}) }}"
"""

RETURN = """
_value:
  description:
    - C(version), that of HAProxy, installed or to be installed, empty if that is not known yet; C(problems), sentences with
      their cures.
  type: dict
"""


def edge_readiness(facts: Mapping[str, Any], ports: Mapping[str, int]) -> dict[str, Any]:
    """Return what `RETURN` says. Raises AnsibleFilterError for facts that are not those of the role."""
    try:
        return judge(facts, {name: int(port) for name, port in ports.items()})
    except KeyError as missing:
        raise AnsibleFilterError(f"edge_readiness: the facts have no {missing}, which facts.sh of the role edge reads") from None


FilterModule = filter_module(edge_readiness)
