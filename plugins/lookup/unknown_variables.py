"""``unknown_variables``: variables that are set and that no role has, each with the one that was probably meant."""

from __future__ import annotations

DOCUMENTATION = """
name: unknown_variables
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Misspelt names of variables
description:
  - A sentence for each variable that begins like one of these roles' and is none, with the known name that is most like it.
  - With O(on_call) the names of the role C(oncall) are checked, and all that were typed with C(-e name=value) or in JSON, for
    such a playbook has variables with short names. Those of a file, C(-e @FILE), are not, for a file may serve other playbooks.
options:
  _terms:
    description: Names of roles.
    type: list
    elements: str
  on_call:
    description: The entry point of the role C(oncall) that a playbook runs, in place of roles.
    type: str
    default: ""
"""

EXAMPLES = """
- name: Stop if a name is unknown
  ansible.builtin.assert:
    that: query("exotel.voicebot.unknown_variables", "exotel_ws", "verify") | length == 0

- name: Stop if a short name was misspelt
  ansible.builtin.assert:
    that: query("exotel.voicebot.unknown_variables", on_call="logs") | length == 0
"""

RETURN = """
_raw:
  description: The sentences.
  type: list
  elements: str
  sample: ["unknown variable exotel_ws_prot (did you mean exotel_ws_port?)"]
"""

from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.variable_names import typed_names, unknown_of_roles, unknown_on_call


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the sentences. Raises AnsibleError without roles and entry point, with both, or for one that does not exist."""
        entry_point, names = str(kwargs.get("on_call", "")), list(variables or {})
        if bool(terms) == bool(entry_point):
            raise AnsibleError("unknown_variables takes names of roles or on_call, one of both")
        try:
            if terms:
                return unknown_of_roles([str(role) for role in terms], names)
            typed = typed_names(str(argument) for argument in context.CLIARGS.get("extra_vars") or ())
            return unknown_on_call(entry_point, names, typed)
        except ValueError as error:
            raise AnsibleError(str(error)) from None
