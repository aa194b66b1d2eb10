#!/usr/bin/python
"""Make a VM with a static address in Google Cloud, or delete it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_vm
short_description: Make a VM with a static external address in Google Cloud, or delete it
description:
  - Reserves a regional external address of the VM's name, then makes the VM with it. When the VM fails, the address stays
    reserved, and a second run goes on from there.
  - A VM that exists is never changed and never restarted. What would keep calls from it is a failure, what else differs is a
    warning; each comes with the command that changes it.
  - The VM has no service account, and one SSH key. It carries the label C(managed-by=exotel-voicebot).
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
extends_documentation_fragment:
  - exotel.voicebot.gcp
options:
  state:
    description:
      - With V(absent) the VM is deleted with its disk, and the address is released. Only a VM with the label is, and only an
        address that this module reserved.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the VM, and of its address.
    type: str
    required: true
  zone:
    description: Where it is, such as V(asia-south1-a). The address is in the zone's region.
    type: str
    required: true
  machine_type:
    description: How large it is.
    type: str
    default: e2-medium
  image:
    description: What it boots at first, as C(PROJECT/FAMILY) or the link of an image.
    type: str
    default: debian-cloud/debian-12
  disk_gb:
    description: Size of its disk in GB.
    type: int
    default: 20
  network:
    description: Its network, by name or link.
    type: str
    default: default
  subnetwork:
    description: Its subnetwork, by name or link. Needed in a network that does not make its subnetworks itself.
    type: str
  tags:
    description: Its network tags, which firewall rules go by. More on an existing VM do no harm.
    type: list
    elements: str
    default: []
  ssh_user:
    description: Who may log in by SSH, and use sudo.
    type: str
    default: deploy
  ssh_public_key:
    description: The public key of O(ssh_user), the line of a C(.pub) file. Needed with O(state=present).
    type: str
attributes:
  check_mode:
    description: Reads only, and says what would be done.
    support: full
  diff_mode:
    description: Shows the VM in the words of the options.
    support: full
seealso:
  - module: exotel.voicebot.gcp_firewall_rule
"""

EXAMPLES = r"""
- name: Make a VM
  exotel.voicebot.gcp_vm:
    project: my-project
    name: voicebot-1
    zone: asia-south1-a
    tags: [exotel-voicebot]
    ssh_public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
  delegate_to: localhost
  register: vm

- name: Delete it
  exotel.voicebot.gcp_vm:
    project: my-project
    name: voicebot-1
    zone: asia-south1-a
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
address:
  description: The static address. Empty if there is none, as in check mode before the VM was made.
  returned: always
  type: str
  sample: 203.0.113.10
steps:
  description: What was done, in order; in check mode, what would be.
  returned: always
  type: list
  elements: str
  sample: [reserve the address voicebot-1 in asia-south1, create the VM voicebot-1 in asia-south1-a]
text:
  description: What was done, in one sentence; in check mode, what would be.
  returned: always
  type: str
  sample: "it is there, nothing to do; its address is 203.0.113.10"
operations:
  description: What was written at Google, in order.
  returned: always
  type: list
  elements: dict
  contains:
    what:
      description: The change.
      type: str
    operation:
      description: Name of Google's operation; null if Google never answered.
      type: str
    status:
      description: V(DONE), V(FAILED), or V(PENDING), V(RUNNING) or V(UNKNOWN) for one whose end was not seen.
      type: str
reason:
  description: Google's word for what failed, or this module's.
  returned: failure
  type: str
  sample: quotaExceeded
code:
  description: HTTP status of what failed; null if there was none.
  returned: failure
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcp.calls import Calls, run_module
from ..module_utils.gcp.faults import Fault
from ..module_utils.gcp.session import AUTH_OPTIONS
from ..module_utils.gcp.vm import Wanted, WrongOption, plan_absent, plan_present, shown, shown_after
from ..module_utils.gcp.vm_cloud import Cloud

_STEPS = {
    "reserve": "reserve the address {0.name} in {0.region}",
    "create": "create the VM {0.name} in {0.zone}",
    "delete": "delete the VM {0.name} in {0.zone}, with its disk",
    "release": "release the address {0.name} in {0.region}",
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH_OPTIONS,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str", "required": True},
            "zone": {"type": "str", "required": True},
            "machine_type": {"type": "str", "default": "e2-medium"},
            "image": {"type": "str", "default": "debian-cloud/debian-12"},
            "disk_gb": {"type": "int", "default": 20},
            "network": {"type": "str", "default": "default"},
            "subnetwork": {"type": "str"},
            "tags": {"type": "list", "elements": "str", "default": []},
            "ssh_user": {"type": "str", "default": "deploy"},
            "ssh_public_key": {"type": "str", "no_log": False},
        },
        required_if=[("state", "present", ("ssh_public_key",))],
        supports_check_mode=True,
    )
    run_module(module, lambda calls: _run(module, calls))


def _run(module: AnsibleModule, calls: Calls) -> dict[str, Any]:
    wanted = _wanted(module)
    cloud = Cloud(calls, wanted)
    address, vm = cloud.address(), cloud.vm()
    plan = (plan_present if module.params["state"] == "present" else plan_absent)(wanted, vm, address)
    for warning in plan.warnings:
        module.warn(warning)
    if plan.problems:
        raise Fault("; ".join(plan.problems), reason="different")
    result: dict[str, Any] = {"changed": bool(plan.steps), "steps": [_STEPS[step].format(wanted) for step in plan.steps]}
    if module._diff:
        result["diff"] = {"before": shown(vm, address), "after": shown_after(plan, wanted, vm, address)}
    if plan.steps and not module.check_mode:
        for step in plan.steps:
            cloud.do(step)
        address = cloud.address()
    ip = address.ip if address else ""
    text = _text(result["steps"], module.params["state"], ip, check=module.check_mode)
    return {**result, "address": ip, "text": text, "operations": calls.operations}


def _text(steps: list[str], state: str, ip: str, *, check: bool) -> str:
    if steps:
        text = f"{'this would' if check else 'done:'} {', then '.join(steps)}"
    else:
        text = "it is there, nothing to do" if state == "present" else "nothing is there"
    return f"{text}; its address is {ip}" if ip else text


def _wanted(module: AnsibleModule) -> Wanted:
    """Return what the options say. Raises Fault."""
    options = {name: module.params[name] for name in Wanted.__dataclass_fields__}
    options["tags"] = tuple(options["tags"])
    options["ssh_public_key"] = (options["ssh_public_key"] or "").strip() if module.params["state"] == "present" else None
    try:
        return Wanted(**options)
    except WrongOption as error:
        raise Fault(str(error), reason="invalid") from error


if __name__ == "__main__":
    main()
