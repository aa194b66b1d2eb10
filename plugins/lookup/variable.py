"""``variable``: a variable of the roles, converted to its type from any form in an inventory or ``-e``."""

from __future__ import annotations

DOCUMENTATION = """
name: variable
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: A variable of the roles, with its type
description:
  - The value of a variable of these roles, or its default, as the type that its argument spec names. A number or a boolean
    may be a text, a list one entry, a mapping a text of JSON.
  - Fails with the name and the cure where the value cannot be meant.
options:
  _terms:
    description: The name of one variable.
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- name: Show the call port, which may have been typed as -e exotel_ws_port=8765
  ansible.builtin.debug:
    msg: "{{ lookup('exotel.voicebot.variable', 'exotel_ws_port') + 1 }}"
"""

RETURN = """
_raw:
  description: The value, as the only entry.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..plugin_utils.role_lookup import RoleLookup
from ..plugin_utils.variables import specs


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the variable that `terms` names. Raises AnsibleError for one that can't be used, and one of no role."""
        if len(terms) != 1 or terms[0] not in specs():
            raise AnsibleError(
                f"variable takes the name of one variable of these roles, not {', '.join(map(str, terms)) or 'none'}"
            )
        return [self.value(variables or {}, terms[0])]
