"""``firewall_rule``: the rules that a host needs in the firewall of Google Cloud."""

from __future__ import annotations

DOCUMENTATION = """
name: firewall_rule
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: The firewall rules that a host needs
description:
  - The rules, by the variables of the role C(gcp_firewall), each with a title, the end of a sentence that says what it does, and
    a warning if anybody may connect. One is for callers; a second, for an ACME authority that may come from where no caller
    may, has the state C(absent) where it is not needed.
options: {}
"""

EXAMPLES = """
- name: Show what the rule does
  ansible.builtin.debug:
    msg: "It lets {{ query('exotel.voicebot.firewall_rule') | map(attribute='does') | join('; and ') }}"
"""

RETURN = """
_raw:
  description: The rules.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ..plugin_utils.fleet_firewall import VARIABLES, rules
from ..plugin_utils.role_lookup import RoleLookup


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        """Return the rules. Raises AnsibleError for a variable that can't be used."""
        return rules(self.values(variables, *VARIABLES))
