"""``undecryptable``: variables of the roles that Ansible Vault keeps closed, one sentence each."""

from __future__ import annotations

DOCUMENTATION = """
name: undecryptable
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Variables of the roles that cannot be decrypted
description:
  - A sentence for each variable of these roles that is set to an encrypted value for which no vault password, or a wrong one, was
    given. It names the variable, its file, and the option to add.
options: {}
"""

EXAMPLES = """
- name: Stop if a variable cannot be decrypted
  ansible.builtin.assert:
    that: query("exotel.voicebot.undecryptable") | length == 0
"""

RETURN = """
_raw:
  description: The sentences.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ..plugin_utils.role_lookup import RoleLookup
from ..plugin_utils.variables import specs
from ..plugin_utils.vault_fault import Undecryptable


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[str]:
        """Return the sentences."""
        found = []
        for name in sorted(specs().keys() & variables.keys()):
            try:
                self.raw(variables, name)
            except Undecryptable as closed:
                found.append(str(closed))
            except Exception:  # what else is wrong with a value, the play says that needs it
                continue
        return list(dict.fromkeys(found))
