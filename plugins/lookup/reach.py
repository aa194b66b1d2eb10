"""``reach``: the name or address at which callers reach a host, read from its inventory."""

from __future__ import annotations

DOCUMENTATION = """
name: reach
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: The name or address by which a host is called
description:
  - C(exotel_ws_public_host), else the inventory's C(ansible_host), else its name for the host. An alias of C(~/.ssh/config)
    stands for its C(HostName).
  - The answer is of the host itself in tasks that are delegated too, where C(ansible_host) is the delegate's.
options: {}
"""

EXAMPLES = """
- name: Show where the server answers
  ansible.builtin.debug:
    msg: "http://{{ lookup('exotel.voicebot.reach').url_host }}:8765/health"
"""

RETURN = """
_raw:
  description: C(host) is the name or address, C(url_host) the same as it stands in a URL.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.reach import host, in_url
from ..plugin_utils.variables import Fault, settled


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return the name or address to call the task's host by; takes no terms."""
        if terms or variables is None:
            raise AnsibleError("reach takes no terms")
        try:
            public = settled("exotel_ws_public_host", self._templar.template(variables.get("exotel_ws_public_host", "")))
        except Fault as fault:
            raise AnsibleError(str(fault)) from None
        of_host = variables["hostvars"][variables["inventory_hostname"]]
        ssh_args = constants.config.get_config_value("ssh_args", plugin_type="connection", plugin_name="ssh")
        found = host(of_host, public, ssh_args or "")
        return [{"host": found, "url_host": in_url(found)}]
