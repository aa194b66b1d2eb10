"""``failed_checks``: the checks of a doctor that failed."""

from __future__ import annotations

from ..plugin_utils.filters import filter_module
from ..plugin_utils.tool_answers import failed_checks

DOCUMENTATION = """
name: failed_checks
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: The checks of a doctor that failed
description:
  - Those of its text, or what it wrote to stderr where it could not judge.
options:
  _input:
    description: The registered result of the task that ran the doctor.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Stop where something failed
  ansible.builtin.fail:
    msg: "{{ __judged | exotel.voicebot.failed_checks }}"
"""

RETURN = """
_value:
  description: The checks, separated by semicolons.
  type: str
"""

FilterModule = filter_module(failed_checks)
