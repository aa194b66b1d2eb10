"""``vm_problems``: what keeps the role ``gcp_vm`` from asking Google for a VM."""

from __future__ import annotations

DOCUMENTATION = """
name: vm_problems
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: What keeps a VM from being made or deleted
description:
  - A sentence with its cure for each thing that the variables of the role C(gcp_vm) lack, and for hosts of the inventory that
    would be deployed to as well.
options: {}
"""

EXAMPLES = """
- name: Stop if something is missing
  ansible.builtin.assert:
    that: query("exotel.voicebot.vm_problems") | length == 0
"""

RETURN = """
_raw:
  description: The sentences.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..plugin_utils.role_lookup import RoleLookup

_VARIABLES = ("gcp_vm_project", "gcp_vm_name", "gcp_vm_state", "gcp_vm_ssh_key", "gcp_vm_yes")


def problems(values: Mapping[str, Any], groups: Mapping[str, Sequence[str]], *, check: bool) -> list[str]:
    """Return the sentences. `values` are the role's variables, `groups` the inventory's hosts by group."""
    project, name, absent = values["gcp_vm_project"], values["gcp_vm_name"], values["gcp_vm_state"] == "absent"
    key = values["gcp_vm_ssh_key"]
    public_key = f"{Path(key).expanduser()}.pub"
    others = [host for host in groups.get("exotel_ws", groups.get("all", ())) if host not in (name, "localhost")]
    found = []
    if not project:
        found.append("which project? add -e gcp_project=PROJECT; gcloud projects list shows them")
    if not absent and not Path(public_key).is_file():
        found.append(f"no key {public_key}: ssh-keygen -t ed25519 -f {key}, or name another with gcp_vm_ssh_key")
    if others:
        found.append(
            f"the inventory has hosts that would be deployed to as well ({', '.join(others)}): leave it out, "
            f"or give one that has {name} alone"
        )
    if absent and not values["gcp_vm_yes"] and not check:
        found.append(
            f"this would delete the VM {name} of project {project}, with its disk and its address, and cut its calls. "
            "If that is meant: add -e gcp_vm_yes=true. To see what it would do: --check"
        )
    return found


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[str]:
        """Return the sentences. Raises AnsibleError for a variable that can't be used."""
        values = self.values(variables, *_VARIABLES)
        return problems(values, variables.get("groups", {}), check=bool(variables.get("ansible_check_mode")))
