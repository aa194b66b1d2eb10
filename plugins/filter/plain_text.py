"""``plain_text``: a text that Ansible shows as it is."""

from __future__ import annotations

from ..plugin_utils.filters import filter_module
from ..plugin_utils.tool_answers import plain_text

DOCUMENTATION = """
name: plain_text
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: A text that Ansible shows as it is
description:
  - Ansible quotes a text with a character that libyaml does not print, which is most emoji, or a blank at the end of a line.
    They are left out.
options:
  _input:
    description: The text.
    type: str
    required: true
"""

EXAMPLES = """
- name: Show what was found
  ansible.builtin.debug:
    msg: "{{ __found.stdout | exotel.voicebot.plain_text }}"
"""

RETURN = """
_value:
  description: The text without those characters.
  type: str
"""

FilterModule = filter_module(plain_text)
