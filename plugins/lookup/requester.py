"""``requester``: the user who typed the command, and the machine that it was typed on."""

from __future__ import annotations

DOCUMENTATION = """
name: requester
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Who asks for an action
description:
  - C(person@machine) for the deploy lock and the audit file of a host, the person behind sudo if there is one. C(exotelctl)
    names who asks by the same function.
options: {}
"""

EXAMPLES = """
- name: Show who asks
  ansible.builtin.debug:
    msg: "{{ lookup('exotel.voicebot.requester') }}"
"""

RETURN = """
_raw:
  description: The text, as the only entry.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils.requester import requester


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the text; it takes no terms."""
        if terms:
            raise AnsibleError("requester takes no terms")
        return [requester()]
