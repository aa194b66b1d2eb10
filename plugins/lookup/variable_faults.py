"""``variable_faults``: faults in the values of the roles' variables, one sentence each."""

from __future__ import annotations

DOCUMENTATION = """
name: variable_faults
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Values that variables of the roles cannot have
description:
  - A sentence with the cure for each variable of these roles that is set to something that cannot be meant, and for each
    setting of the server that its own check refuses. The value of a secret is never shown.
options: {}
"""

EXAMPLES = """
- name: Stop if a value is not allowed
  ansible.builtin.assert:
    that: query("exotel.voicebot.variable_faults") | length == 0
"""

RETURN = """
_raw:
  description: The sentences.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ..plugin_utils import server_settings, variables
from ..plugin_utils.role_lookup import RoleLookup
from ..plugin_utils.vault_fault import Undecryptable


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[str]:
        """Return the sentences."""
        values, unresolved = self._values(variables)
        return unresolved + (_faults(values) if not unresolved else [])

    def _values(self, said: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        values, unresolved = {}, []
        for name, spec in sorted(variables.specs().items()):
            if name in said:
                try:
                    values[name] = self.raw(said, name)
                except Undecryptable as closed:
                    unresolved.append(str(closed))
                except Exception as error:  # a template of the inventory may raise any
                    why = "" if spec.get("no_log") else f": {' '.join(str(error).split())}"
                    unresolved.append(f"{name}: its value cannot be found{why}")
        return values, list(dict.fromkeys(unresolved))  # a variable made of an encrypted one tells of that


def _faults(values: Mapping[str, Any]) -> list[str]:
    return variables.faults(values) or server_settings.faults(values)
