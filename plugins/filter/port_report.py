"""``port_report``: what exotelctl port-clean said of ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.filters import filter_module
from ..plugin_utils.port_report import port_report as read

DOCUMENTATION = """
name: port_report
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: What exotelctl port-clean said of ports
description:
  - Reads the JSON of C(exotelctl port-clean) of one or several ports. A port that only units of the server hold is as it should
    be, though the command refuses to end them.
options:
  _input:
    description: The registered result of the task that ran it. Without an answer, or skipped, the report has no ports.
    type: dict
    required: true
  dry_run:
    description: It ran with C(--dry-run), so the plan counts, not the outcome.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Stop where a port is still held
  ansible.builtin.assert:
    that: (__cleaned | exotel.voicebot.port_report).blocked | length == 0
"""

RETURN = """
_value:
  description:
    - C(answered), whether the command could judge; C(acts), whether it ends, or would end, a process; C(signalled), whether it
      sent a signal; C(ends), the processes that it ends with C(port), C(pid), C(text) and C(outcome); C(states), a sentence for
      each port; C(blocked), the ports that the server can't use with C(port), C(why), C(instead) and C(text).
  type: dict
"""


def port_report(result: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Return what `RETURN` says. Raises AnsibleFilterError for an answer that is no JSON of the command."""
    try:
        return read(result, dry_run=dry_run)
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"port_report: the answer is not that of exotelctl port-clean --json: {error}") from None


FilterModule = filter_module(port_report)
