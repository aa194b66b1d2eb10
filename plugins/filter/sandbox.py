"""``sandbox``: what the sandbox of the server's unit lets a worker do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.filters import filter_module
from ..plugin_utils.sandbox import sandbox as decide

DOCUMENTATION = """
name: sandbox
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: What the sandbox of the server's unit lets a worker do
description:
  - A worker gets a network only if a service of AI mode is elsewhere. A cloud's metadata service hands out the machine's own
    identity to any local user, so no address of one can be reached, nor any link-local one. Private networks can't either,
    unless a setting names a host by its name, which may be there.
  - Where the host's resolver is at the address of a metadata service, as on Google Cloud, names are asked for through a relay
    that systemd runs.
options:
  _input:
    description: The settings of the server, as the lookup P(exotel.voicebot.server_settings#lookup) returns them.
    type: dict
    required: true
  resolv_conf:
    description: The text of C(/etc/resolv.conf) of the host.
    type: str
    default: ""
  networks:
    description: Addresses and networks that may be reached all the same, those of metadata services aside.
    type: list
    elements: str
    default: []
  memory_mb:
    description: A bound on the memory of a worker, in MB. 0 means one that is computed from the settings.
    type: int
    default: 0
"""

EXAMPLES = """
- name: Show what a worker may not reach
  ansible.builtin.debug:
    msg: "{{ (settings | exotel.voicebot.sandbox('nameserver 169.254.169.254')).network.deny }}"
"""

RETURN = """
_value:
  description:
    - C(needs_network), whether a service is elsewhere; C(network) with C(deny) and C(allow) for C(IPAddressDeny=) and
      C(IPAddressAllow=), C(relay), the address that DNS is relayed to, empty where none is needed, and C(resolv_conf), what the
      unit has in place of the host's then; C(record_directory), where calls are recorded, empty if they are not;
      C(spool_directory), where what is to be told of ended calls waits, empty if nothing is; C(memory_mb).
  type: dict
"""


def sandbox(
    settings: Mapping[str, Any], resolv_conf: str = "", networks: Iterable[str] = (), memory_mb: int | str = 0
) -> dict[str, Any]:
    """Return what `RETURN` says. Raises AnsibleFilterError for settings without a mode, and a network that is none."""
    if "mode" not in settings:
        raise AnsibleFilterError("sandbox: the settings have no mode: give it what the lookup server_settings returns")
    try:
        return decide(settings, resolv_conf, networks, int(memory_mb))
    except ValueError as error:
        raise AnsibleFilterError(f"sandbox: {error}") from None


FilterModule = filter_module(sandbox)
