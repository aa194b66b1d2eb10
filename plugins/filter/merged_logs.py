"""``merged_logs``: the lines of all hosts for one story."""

from __future__ import annotations

from ..plugin_utils.filters import filter_module
from ..plugin_utils.tool_answers import merged_logs

DOCUMENTATION = """
name: merged_logs
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: The lines of all hosts for one story
description:
  - Input of C(exotelctl logs --merge), the JSON lines of each host after a line that names it, or says why it did not answer.
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  variables:
    description: C(hostvars), with the results of the tasks that asked.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Merge the answers
  exotel.voicebot.controller_command:
    argv: [exotelctl, logs, --merge, "-"]
    stdin: "{{ ansible_play_hosts_all | exotel.voicebot.merged_logs(hostvars) }}"
"""

RETURN = """
_value:
  description: The lines.
  type: str
"""

FilterModule = filter_module(merged_logs)
