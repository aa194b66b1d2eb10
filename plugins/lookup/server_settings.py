"""``server_settings``: the server's settings, made of the variables of the role ``exotel_ws``."""

from __future__ import annotations

DOCUMENTATION = """
name: server_settings
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: The server's settings.toml as a table
description:
  - What the variables of the role C(exotel_ws) say, each with its type, with C(exotel_ws_settings) merged over it.
options:
  public_url:
    description: The URL under which Exotel reaches the server.
    type: str
    default: ""
"""

EXAMPLES = """
- name: Show the settings that a deploy would write
  ansible.builtin.debug:
    msg: "{{ lookup('exotel.voicebot.server_settings') }}"
"""

RETURN = """
_raw:
  description: The table, as the only entry.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..plugin_utils.role_lookup import RoleLookup
from ..plugin_utils.server_settings import settings
from ..plugin_utils.variables import Fault, specs


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        """Return the table. Raises AnsibleError for a variable that can't be used."""
        self.set_options(var_options=variables, direct=options)
        values = {name: self.raw(variables, name) for name in specs() if name.startswith("exotel_ws_") and name in variables}
        try:
            return [settings(values, self.get_option("public_url"))]
        except Fault as fault:
            raise AnsibleError(str(fault)) from None
