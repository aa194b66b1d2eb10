"""``changes_for_callers``: what a deploy or a rollback changes for callers, and what to type if it is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..plugin_utils.filters import filter_module

DOCUMENTATION = """
name: changes_for_callers
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: What a deploy changes for callers of a host
description:
  - Lines for the consequences that M(exotel.voicebot.generation) found in check mode; the last one has the line to type where a
    consent lacks.
options:
  _input:
    description: The registered result of the module. A skipped one has no consequences.
    type: dict
    required: true
  host:
    description: The name of the host.
    type: str
    required: true
  accepted:
    description: The consents that were given.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Say what changes for callers
  ansible.builtin.debug:
    msg: "{{ foreseen | exotel.voicebot.changes_for_callers(inventory_hostname) }}"
"""

RETURN = """
_value:
  description: The lines; none if nothing changes for callers.
  type: list
  elements: str
"""


def changes_for_callers(foreseen: Mapping[str, Any], host: str, accepted: Iterable[str] = ()) -> list[str]:
    """Return the lines, see `RETURN`."""
    consequences, consent = foreseen.get("consequences") or [], foreseen.get("consent") or []
    if not consequences:
        return []
    lines = [f"For callers of {host} this changes:", *(f"- {consequence}" for consequence in consequences)]
    if consent:
        lines.append(f"If it is meant: -e exotel_ws_accept={','.join(dict.fromkeys([*accepted, *consent]))}")
    return lines


FilterModule = filter_module(changes_for_callers)
