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
  description:
    - C(host) is the name or address, C(url_host) the same as it stands in a URL, C(url) the URL of calls, and C(applet_url) the
      one to paste into Exotel's applet, with the sample rate, and C(USER:TOKEN@) if streams must show a credential.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible import constants

from ..plugin_utils.reach import applet_url, call_url, host, in_url
from ..plugin_utils.role_lookup import RoleLookup


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[dict[str, str]]:
        """Return the names of the task's host for a call. Raises AnsibleError for a variable that can't be used."""
        public = self.value(variables, "exotel_ws_public_host")
        of_host = variables["hostvars"][variables["inventory_hostname"]]
        ssh_args = constants.config.get_config_value("ssh_args", plugin_type="connection", plugin_name="ssh")
        found = host(of_host, public, ssh_args or "")
        paths, port = self.value(variables, "exotel_ws_paths"), self.value(variables, "exotel_ws_port")
        url = call_url(found, port, paths)
        asked = bool(self.value(variables, "exotel_ws_credentials"))
        pasted = applet_url(url, self.value(variables, "exotel_ws_sample_rate"), credential=asked)
        return [{"host": found, "url_host": in_url(found), "url": url, "applet_url": pasted}]
