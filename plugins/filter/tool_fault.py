"""``tool_fault``: why exotelctl gave no answer on a host."""

from __future__ import annotations

from ..plugin_utils.filters import filter_module
from ..plugin_utils.tool_answers import tool_fault

DOCUMENTATION = """
name: tool_fault
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Why exotelctl gave no answer on a host
description:
  - What the tool itself said, if it ran. Where it is not there, that nothing seems to be deployed, and how to deploy.
options:
  _input:
    description: The registered result of the task that ran the tool.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Stop if it could not
  ansible.builtin.fail:
    msg: "{{ __asked | exotel.voicebot.tool_fault }}"
"""

RETURN = """
_value:
  description: The reason, and what to do where the tool is missing.
  type: str
"""

FilterModule = filter_module(tool_fault)
