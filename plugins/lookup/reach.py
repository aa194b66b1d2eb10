"""``reach``: the name or address at which callers reach a host, read from its inventory."""

from __future__ import annotations

DOCUMENTATION = """
name: reach
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: The name or address by which a host is called
description:
  - With C(exotel_ws_edge) the first of C(edge_domain); else C(exotel_ws_public_host), else the inventory's C(ansible_host), else
    its name for the host. An alias of C(~/.ssh/config) stands for its C(HostName).
  - The answer is of the host itself in tasks that are delegated too, where C(ansible_host) is the delegate's.
options:
  edge:
    description:
      - C(edge.json) of the host in base64, empty where it has none. Where it has an edge and the inventory wants none, or the
        reverse, the answer is for what the host has. Not given, the inventory is believed.
    type: str
"""

EXAMPLES = """
- name: Show where the server answers
  ansible.builtin.debug:
    msg: "http://{{ lookup('exotel.voicebot.reach').url_host }}:8765/health"
"""

RETURN = """
_raw:
  description:
    - C(host) is the name or address, C(url_host) the same as it stands in a URL, C(url) the URL of calls, C(applet_url) the one
      to paste into Exotel's applet, with the sample rate, and C(USER:TOKEN@) if streams must show a credential, C(ports) the
      TCP ports that firewalls have to let in, C(private_ca) whether no public CA vouches for the certificate, and C(disagreement)
      in what the inventory and O(edge) differ, empty if in nothing.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible import constants

from ..plugin_utils.edge import as_found, disagreement, found_on_host, private_ca, public_ports
from ..plugin_utils.reach import applet_url, call_url, host, in_url
from ..plugin_utils.role_lookup import RoleLookup


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        """Return the names of the task's host for a call. Raises AnsibleError for a variable that can't be used."""
        said, found_edge = partial(self.value, variables), found_on_host(options.get("edge"))
        value = as_found(said, found_edge)
        tls, public = value("exotel_ws_edge"), value("exotel_ws_public_host")
        if tls and (domains := value("edge_domain")):
            public = domains[0]
        of_host = variables["hostvars"][variables["inventory_hostname"]]
        ssh_args = constants.config.get_config_value("ssh_args", plugin_type="connection", plugin_name="ssh")
        found = host(of_host, public, ssh_args or "")
        url = call_url(found, value("edge_port" if tls else "exotel_ws_port"), value("exotel_ws_paths"), tls=tls)
        pasted = applet_url(url, value("exotel_ws_sample_rate"), credential=bool(value("exotel_ws_credentials")))
        names = {"host": found, "url_host": in_url(found), "url": url, "applet_url": pasted}
        more = {"ports": public_ports(value), "private_ca": private_ca(value), "disagreement": disagreement(said, found_edge)}
        return [{**names, **more}]
