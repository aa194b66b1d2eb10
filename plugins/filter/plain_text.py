"""``plain_text``: a text that Ansible shows as it is."""

from __future__ import annotations

from collections.abc import Callable

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


class FilterModule:
    """Filters of this file, as Ansible finds them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"plain_text": plain_text}
