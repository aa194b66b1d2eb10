"""``tool_arguments``: arguments of exotelctl, from the variables of the roles that run it."""

from __future__ import annotations

DOCUMENTATION = """
name: tool_arguments
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Arguments of exotelctl for a verb
description:
  - The verb and its options, as the variables of the roles C(oncall) and C(reset) ask for them. An absolute time is sent as an
    instant, which is the same in every zone.
options:
  _terms:
    description: One of C(logs), C(doctor) on a host, C(doctor-judge) on the controller, C(port-clean) and C(reset).
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- name: Ask the host for its lines
  ansible.builtin.command:
    argv: "{{ ['exotelctl'] + query('exotel.voicebot.tool_arguments', 'logs') }}"
"""

RETURN = """
_raw:
  description: The arguments.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..plugin_utils.role_lookup import RoleLookup
from ..plugin_utils.tool_arguments import VERBS, NoTool


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the arguments. Raises AnsibleError for another verb, an unusable variable, and without the tool."""
        if len(terms) != 1 or terms[0] not in VERBS:
            raise AnsibleError(f"tool_arguments takes one of {', '.join(VERBS)}")
        verb = VERBS[terms[0]]
        try:
            return verb.arguments(self.values(variables or {}, *verb.variables))
        except NoTool as error:
            raise AnsibleError(str(error)) from None
