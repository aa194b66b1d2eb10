#!/usr/bin/python
"""Make, change or remove one firewall rule of a network in Google Cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_firewall_rule
short_description: Make, change or remove a VPC firewall rule in Google Cloud
description:
  - Makes a rule what the options say. An option that is not given leaves what an existing rule has; for a new rule
    it is Google's default, named below. An empty list clears.
  - What is given is checked before any request, and brought into a normal form before it is compared, so that the order
    and form of ports, ranges, tags and network links make no difference. Ports that overlap or follow each other are
    one range.
  - Google has no update of a rule's O(network) and O(direction), nor from O(allowed) to O(denied) or back. Then the rule is
    deleted and inserted again, with a warning; it does not hold for some seconds. If the insert fails, the old rule is put
    back; if it has not ended within O(timeout), nothing more is done, and the failure says so.
  - A rule that somebody else makes or removes at the same time is read again, and the work goes on from there. What somebody
    else changes in the rule between the read and the write is overwritten, since Google has no version to ask for.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
extends_documentation_fragment:
  - exotel.voicebot.gcp
options:
  name:
    description: The rule's name, 1 to 63 lower-case letters, digits and hyphens.
    type: str
    required: true
  state:
    description: Whether the rule shall exist.
    type: str
    choices: [present, absent]
    default: present
  if_description:
    description:
      - With O(state=absent), remove the rule only if this is its description. One with another is somebody else's, and stays.
    type: str
  network:
    description:
      - The VPC network in O(project), as its name, C(global/networks/N), C(projects/P/global/networks/N) or its whole link.
      - V(default) for a new rule.
    type: str
  description:
    description: What the rule is for.
    type: str
  direction:
    description: Whether the rule is for incoming or outgoing traffic. V(INGRESS) for a new rule.
    type: str
    choices: [INGRESS, EGRESS]
  priority:
    description: From 0, which is first, to 65535. At the same priority deny comes before allow. 1000 for a new rule.
    type: int
  disabled:
    description: Whether the rule is kept, but not in force. V(false) for a new rule.
    type: bool
  allowed:
    description:
      - What the rule allows. O(allowed) or O(denied) is needed for a new rule, and they exclude each other.
    type: list
    elements: dict
    suboptions: &entry
      protocol:
        description:
          - V(tcp), V(udp), V(icmp), V(esp), V(ah), V(sctp), V(ipip), V(all), or the number of an IP protocol, as 58 for ICMPv6.
        type: str
        required: true
      ports:
        description: Ports and ranges of them, such as V(8765) and V(8000-8100), for TCP, UDP and SCTP. None means every port.
        type: list
        elements: str
  denied:
    description: What the rule denies.
    type: list
    elements: dict
    suboptions: *entry
  source_ranges:
    description:
      - Addresses the traffic comes from, in CIDR notation, of IPv4 or of IPv6.
      - A rule for incoming traffic without any source is for every address, C(0.0.0.0/0).
    type: list
    elements: str
  destination_ranges:
    description:
      - Addresses the traffic goes to, in CIDR notation, of the same IP version as O(source_ranges).
      - A rule for outgoing traffic without them is for every address, C(0.0.0.0/0).
    type: list
    elements: str
  source_tags:
    description:
      - Network tags of the VMs the traffic comes from. For incoming traffic only. Beside O(source_ranges), either suffices.
    type: list
    elements: str
  target_tags:
    description: Network tags of the VMs that the rule is for. Without tags and service accounts it is for all of the network.
    type: list
    elements: str
  source_service_accounts:
    description: Service accounts of the VMs the traffic comes from. For incoming traffic only, and not together with tags.
    type: list
    elements: str
  target_service_accounts:
    description: Service accounts of the VMs that the rule is for. Not together with tags.
    type: list
    elements: str
  logging:
    description: Whether connections are written to Cloud Logging. Off for a new rule.
    type: dict
    suboptions:
      enabled:
        description: Whether they are.
        type: bool
        required: true
      metadata:
        description: Whether with the names of VMs, networks and places. V(INCLUDE_ALL_METADATA) when logging is turned on.
        type: str
        choices: [INCLUDE_ALL_METADATA, EXCLUDE_ALL_METADATA]
attributes:
  check_mode:
    description: Reads the rule and says what would be done. Writes nothing.
    support: full
  diff_mode:
    description: Shows the whole rule before and after, in the words of these options.
    support: full
seealso:
  - module: exotel.voicebot.gcp_effective_firewall_info
"""

EXAMPLES = r"""
- name: Let Exotel reach the server
  exotel.voicebot.gcp_firewall_rule:
    project: my-project
    name: allow-exotel-ws
    description: Exotel WebSocket Server
    allowed:
      - protocol: tcp
        ports: ["8765"]
    source_ranges: [0.0.0.0/0]
  delegate_to: localhost

- name: Only for tagged VMs, with a log
  exotel.voicebot.gcp_firewall_rule:
    project: my-project
    name: allow-exotel-ws
    target_tags: [exotel-ws]
    logging:
      enabled: true
  delegate_to: localhost

- name: For all VMs again
  exotel.voicebot.gcp_firewall_rule:
    project: my-project
    name: allow-exotel-ws
    target_tags: []
  delegate_to: localhost

- name: Take it away, as another account
  exotel.voicebot.gcp_firewall_rule:
    project: my-project
    name: allow-exotel-ws
    state: absent
    impersonate_service_account: firewall@my-project.iam.gserviceaccount.com
  delegate_to: localhost
"""

RETURN = r"""
rule:
  description:
    - The whole rule, in the words of the options; in check mode as it would be. Null if there is none.
    - On failure, only if the rule was lost on the way, and then null.
  returned: success
  type: dict
  sample:
    name: allow-exotel-ws
    description: Exotel WebSocket Server
    network: default
    direction: INGRESS
    priority: 1000
    disabled: false
    allowed: [{protocol: tcp, ports: ["8765"]}]
    denied: []
    source_ranges: [0.0.0.0/0]
    destination_ranges: []
    source_tags: []
    target_tags: []
    source_service_accounts: []
    target_service_accounts: []
    logging: {enabled: false}
fields:
  description: The options whose value changed; all of them for a rule that was made or removed.
  returned: success
  type: list
  elements: str
  sample: [target_tags]
replaced:
  description: Whether the rule was deleted and inserted again, because Google has no update for the difference.
  returned: success
  type: bool
  sample: false
operations:
  description: What was written until the end or the failure, in order.
  returned: always
  type: list
  elements: dict
  contains:
    what:
      description: What it was for.
      type: str
      sample: insert of firewall rule allow-exotel-ws
    operation:
      description: The operation's name; null if Google never answered.
      type: str
      sample: operation-1795342500000-5f1c2b3a4d5e6-0a1b2c3d-4e5f6a7b
    status:
      description: V(DONE), V(FAILED), or what it was when it was last seen, V(PENDING), V(RUNNING) or V(UNKNOWN).
      type: str
      sample: DONE
reason:
  description: One word for what failed, Google's if there is one.
  returned: failure
  type: str
  sample: forbidden
code:
  description: The HTTP status of what failed; null if there was none.
  returned: failure
  type: int
  sample: 403
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcp.calls import Calls, run_module
from ..module_utils.gcp.faults import Fault
from ..module_utils.gcp.firewalls import Firewalls
from ..module_utils.gcp.rule import (
    FIELDS,
    Words,
    changed_fields,
    check_name,
    fixed_fields,
    from_resource,
    merged,
    normal,
    opens_to_all,
)
from ..module_utils.gcp.session import AUTH_OPTIONS

_RACES = 3
_TEXTS: dict[str, Any] = {"type": "list", "elements": "str"}
_ENTRIES: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {"protocol": {"type": "str", "required": True}, "ports": _TEXTS},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "if_description": {"type": "str"},
            "network": {"type": "str"},
            "description": {"type": "str"},
            "direction": {"type": "str", "choices": ["INGRESS", "EGRESS"]},
            "priority": {"type": "int"},
            "disabled": {"type": "bool"},
            "allowed": _ENTRIES,
            "denied": _ENTRIES,
            "source_ranges": _TEXTS,
            "destination_ranges": _TEXTS,
            "source_tags": _TEXTS,
            "target_tags": _TEXTS,
            "source_service_accounts": _TEXTS,
            "target_service_accounts": _TEXTS,
            "logging": {
                "type": "dict",
                "options": {
                    "enabled": {"type": "bool", "required": True},
                    "metadata": {"type": "str", "choices": ["INCLUDE_ALL_METADATA", "EXCLUDE_ALL_METADATA"]},
                },
            },
        },
        supports_check_mode=True,
    )
    run_module(module, lambda calls: _apply(module, calls))


def _apply(module: AnsibleModule, calls: Calls) -> dict[str, Any]:
    name = module.params["name"]
    check_name(name)
    wanted = normal(module.params, calls.session.project)
    firewalls = Firewalls(calls, name)
    if module.params["state"] == "absent":
        return _absent(module, calls, firewalls)
    for attempt in range(_RACES):
        before = _words(firewalls.get())
        after = merged(before, wanted)
        if module.check_mode or not _fields(before, after):
            break
        try:
            firewalls.write(before, after)
            break
        except Fault as fault:
            if attempt + 1 == _RACES or not firewalls.is_overtaken(fault):
                raise
    _warn(module, before, wanted, after)
    return _result(module, calls, before, after)


def _absent(module: AnsibleModule, calls: Calls, firewalls: Firewalls) -> dict[str, Any]:
    before, only = _words(firewalls.get()), module.params["if_description"]
    if before is not None and only is not None and before["description"] != only:
        return _result(module, calls, before, before)
    if before is not None and not module.check_mode and not firewalls.delete():
        before = None
    return _result(module, calls, before, None)


def _words(resource: dict[str, Any] | None) -> Words | None:
    return None if resource is None else from_resource(resource)


def _fields(before: Words | None, after: Words | None) -> list[str]:
    if before is None or after is None:
        return [] if before is after else list(FIELDS)
    return changed_fields(before, after)


def _warn(module: AnsibleModule, before: Words | None, wanted: Words, after: Words) -> None:
    name = module.params["name"]
    if opens_to_all(wanted, after) and _fields(before, after):
        module.warn(f"firewall rule {name}: with that list empty no address is left, so that it is for every address")
    fixed = fixed_fields(before, after) if before else []
    if fixed:
        done = "would be" if module.check_mode else "was"
        module.warn(
            f"firewall rule {name} {done} deleted and inserted again, since Google cannot change the {' and '.join(fixed)} "
            "of a rule; in between it does not hold"
        )


def _result(module: AnsibleModule, calls: Calls, before: Words | None, after: Words | None) -> dict[str, Any]:
    name, fields = module.params["name"], _fields(before, after)
    result: dict[str, Any] = {
        "changed": bool(fields) or calls.wrote,
        "rule": None if after is None else {"name": name, **after},
        "fields": fields,
        "replaced": bool(before and after and fixed_fields(before, after)),
        "operations": calls.operations,
    }
    if module._diff:
        header = f"firewall rule {name} of project {calls.session.project}"
        result["diff"] = {"before_header": header, "after_header": header, "before": before or {}, "after": after or {}}
    return result


if __name__ == "__main__":
    main()
