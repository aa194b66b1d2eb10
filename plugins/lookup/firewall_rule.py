"""``firewall_rule``: the rule that a host needs in the firewall of Google Cloud."""

from __future__ import annotations

DOCUMENTATION = """
name: firewall_rule
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: The firewall rule that a host needs
description:
  - The rule, by the variables of the role C(gcp_firewall), with a title, the end of a sentence that says what it does, and a
    warning if anybody may connect.
options: {}
"""

EXAMPLES = """
- name: Show what the rule does
  ansible.builtin.debug:
    msg: "It lets {{ lookup('exotel.voicebot.firewall_rule').does }}"
"""

RETURN = """
_raw:
  description: The rule, as the only entry.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ..plugin_utils.fleet_firewall import VARIABLES, rule
from ..plugin_utils.role_lookup import RoleLookup


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        """Return the rule. Raises AnsibleError for a variable that can't be used."""
        return [rule(self.values(variables, *VARIABLES))]
