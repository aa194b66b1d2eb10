#!/usr/bin/python
"""Say whether Google Cloud's firewall lets callers through to a port of an instance, and by which rule."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_effective_firewall_info
short_description: Say whether Google Cloud's firewall lets callers through to a port, and by which rule
description:
  - Reads the firewall rules that are in effect on a network interface of an instance, in Google's order of evaluation - the
    hierarchical policies of organisation and folders, system policies, the network's VPC rules and its policies in the
    order that the network says, and the implied rule that denies the rest - and works out for every source address what
    they come to.
  - What only Google can tell is not guessed. A rule for countries, threat lists, names, address groups or secure tags
    makes the answer V(unknown) for the sources concerned, unless it makes no difference.
  - Changes nothing.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
extends_documentation_fragment:
  - exotel.voicebot.gcp
options:
  instance:
    description: Name of the instance. Either this or O(address) is needed.
    type: str
  zone:
    description: Zone of the instance. Without it all zones are searched for O(instance).
    type: str
  address:
    description:
      - External or internal address by which the instance is found, and its interface. A name is resolved first.
      - Every instance of the project is listed for it, 500 in a request.
    type: str
  network_interface:
    description:
      - Name of the interface, such as V(nic0). By default the one that has O(address), otherwise the first that has an
        external address, otherwise the first.
    type: str
  port:
    description: The port.
    type: int
    required: true
  protocol:
    description: The protocol.
    type: str
    choices: [tcp, udp]
    default: tcp
  source:
    description:
      - Addresses and networks (CIDR), IPv4 or IPv6, that callers have.
      - Where all of them are private (RFC 1918, RFC 6598, RFC 4193), callers come to the internal address of the
        interface; otherwise to the external one.
    type: list
    elements: str
    default: [0.0.0.0/0]
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: N/A
notes:
  - Needs C(compute.instances.list), C(compute.instances.get), C(compute.instances.getEffectiveFirewalls) and, where network
    firewall policies are used, C(compute.networks.get); C(roles/compute.viewer) has them all.
  - Says what the firewall does, not whether the host itself lets anything in, or whether something listens.
seealso:
  - module: exotel.voicebot.gcp_firewall_rule
  - name: Evaluation order for firewall policies and rules
    description: The order that the rules are put in.
    link: https://docs.cloud.google.com/firewall/docs/firewall-policies-rule-eval-order
"""

EXAMPLES = r"""
- name: Does Exotel get through to the voicebot?
  exotel.voicebot.gcp_effective_firewall_info:
    project: my-project
    address: 203.0.113.7
    port: 8765
  delegate_to: localhost
  register: firewall

- name: Show the answer
  ansible.builtin.debug:
    msg: "{{ firewall.text }}"

- name: May these two networks call the second interface?
  exotel.voicebot.gcp_effective_firewall_info:
    project: my-project
    instance: voice-1
    zone: asia-south1-a
    network_interface: nic1
    port: 8765
    source: [10.20.0.0/16, 10.30.0.0/16]
  delegate_to: localhost
"""

RETURN = r"""
reachable:
  description:
    - V(yes) if all of O(source) gets through, V(no) if nothing does, V(partly) if that depends on the address, and
      V(unknown) if only Google can tell.
  returned: success
  type: str
  sample: "no"
text:
  description: The same in a sentence, with the rule that decides.
  returned: success
  type: str
  sample: tcp:8765 is denied by rule block-everything, priority 900
obstacles:
  description: Why nothing arrives whatever the firewall says, such as an instance that is stopped or has no external address.
  returned: success
  type: list
  elements: str
unserved:
  description: The part of O(source) of a family (IPv4, IPv6) in which the interface has no address. It is not judged.
  returned: success
  type: list
  elements: str
shares:
  description: O(source) in parts that get the same answer.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The addresses, as the fewest networks.
      type: list
      elements: str
    reachable:
      description: V(yes), V(no) or V(unknown).
      type: str
    rules:
      description: The rules that decide, in words, that for most addresses first.
      type: list
      elements: str
    doubts:
      description: Why it is unknown.
      type: list
      elements: str
rules:
  description: The rules in effect that concern the port, in the order of evaluation. The implied one is the last.
  returned: success
  type: list
  elements: dict
  contains:
    level:
      description:
        - V(hierarchical policy), V(system policy), V(regional system policy), V(VPC rules), V(global network policy),
          V(regional network policy) or V(implied).
      type: str
    policy:
      description: Name of the firewall policy; empty for others.
      type: str
    name:
      description: Name of the rule; a rule of a policy may have none.
      type: str
    priority:
      description: Its priority, by which a policy's rule is known.
      type: int
    action:
      description: V(allow), V(deny), V(goto_next) or V(apply_security_profile_group).
      type: str
    match:
      description: What it matches.
      type: str
      sample: from 0.0.0.0/0 to tcp:8765
    certain:
      description: Whether it can be told here which addresses it matches.
      type: bool
instance:
  description: The instance and its interface.
  returned: success
  type: dict
  contains:
    project:
      description: Its project.
      type: str
    name:
      description: Its name.
      type: str
    zone:
      description: Its zone.
      type: str
    status:
      description: Its state, such as V(RUNNING) or V(TERMINATED).
      type: str
    network_interface:
      description: Name of the interface.
      type: str
    network:
      description: Its network.
      type: str
      sample: projects/my-project/global/networks/default
    internal:
      description: Its addresses as firewall rules see them.
      type: list
      elements: str
    external:
      description: Its external addresses.
      type: list
      elements: str
port:
  description: What was asked for.
  returned: success
  type: str
  sample: tcp:8765
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcp import lookup
from ..module_utils.gcp.calls import Calls, run_module
from ..module_utils.gcp.effective import Unreadable, Verdict, in_order, judge
from ..module_utils.gcp.faults import Fault
from ..module_utils.gcp.ingress import Port, Rule, path
from ..module_utils.gcp.interface import Interface, NoInterface, choose, comes_through_internet, obstacles, served, target
from ..module_utils.gcp.ranges import Ranges
from ..module_utils.gcp.session import AUTH_OPTIONS

# Of an instance, which has a number as well, or of a zone.
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?|[1-9][0-9]{0,19}")


def look(calls: Calls, params: dict[str, Any]) -> dict[str, Any]:
    """Find the instance, read its rules, judge them. Raises Fault."""
    _check_names(params)
    port, source = _port(params), _source(params["source"])
    instance, nic = _find(calls, params)
    effective = lookup.effective_firewalls(calls, instance, nic)
    policies_first = lookup.are_policies_first(calls, nic, effective)
    through_internet = comes_through_internet(source)
    arriving = served(source, nic, through_internet)
    try:
        levels = in_order(effective, policies_first, target(instance, nic, through_internet), port)
        verdict = judge(levels, arriving or source, port)
    except Unreadable as error:
        raise Fault(str(error), reason="unreadable") from error
    in_the_way = list(obstacles(instance, nic, source, through_internet))
    return {
        "changed": False,
        **_answer(verdict, in_the_way),
        "unserved": (source - arriving).cidrs(),
        "rules": [_rule(rule) for level in levels for rule in level],
        "instance": _instance(instance, nic),
        "port": str(port),
    }


def _find(calls: Calls, params: dict[str, Any]) -> tuple[dict[str, Any], Interface]:
    addresses = lookup.addresses_of(params["address"]) if params["address"] else []
    try:
        if params["instance"]:
            instance = lookup.instance_named(calls, params["instance"], params["zone"])
            return instance, choose(instance, params["network_interface"], addresses)
        instance, address = lookup.instance_at(calls, addresses)
        return instance, choose(instance, params["network_interface"], [address])
    except NoInterface as error:
        raise Fault(str(error), reason="notFound") from error


def _check_names(params: dict[str, Any]) -> None:
    if not (params["instance"] or params["address"]):
        raise Fault("instance: name the instance, or one of its addresses with address", reason="invalid")
    for option in ("instance", "zone"):
        if params[option] and not _NAME.fullmatch(params[option]):
            raise Fault(
                f"{option}: {params[option]!r} is no name of Google's; see gcloud compute instances list "
                f"--project={params['project']}",
                reason="invalid",
            )


def _port(params: dict[str, Any]) -> Port:
    if not 0 < params["port"] < 65536:
        raise Fault(f"port: {params['port']} is not between 1 and 65535", reason="invalid")
    return Port(params["port"], params["protocol"])


def _source(cidrs: list[str]) -> Ranges:
    try:
        source = Ranges.of(cidrs)
    except ValueError as error:
        raise Fault(f"source: {error}", reason="invalid") from error
    if not source:
        raise Fault("source: name at least one address or network", reason="invalid")
    return source


def _answer(verdict: Verdict, in_the_way: list[str]) -> dict[str, Any]:
    text, reachable = verdict.text, verdict.reachable
    if in_the_way:
        text, reachable = f"{' and '.join(in_the_way)}, so nothing arrives; by its firewall {text}", "no"
    shares = [
        {
            "source": share.source.cidrs(),
            "reachable": share.reachable,
            "rules": [str(rule) for rule in share.rules],
            "doubts": list(share.doubts),
        }
        for share in verdict.shares
    ]
    return {"reachable": reachable, "text": text, "obstacles": in_the_way, "shares": shares}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "level": rule.level,
        "policy": rule.policy,
        "name": rule.name,
        "priority": rule.priority,
        "action": rule.action,
        "match": rule.match,
        "certain": not rule.maybe,
    }


def _instance(instance: dict[str, Any], nic: Interface) -> dict[str, Any]:
    return {
        "project": path(instance["selfLink"]).split("/")[1],
        "name": instance["name"],
        "zone": instance["zone"].rpartition("/")[2],
        "status": instance.get("status"),
        "network_interface": nic.name,
        "network": nic.network,
        "internal": list(nic.internal),
        "external": list(nic.external),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH_OPTIONS,
            "instance": {"type": "str"},
            "zone": {"type": "str"},
            "address": {"type": "str"},
            "network_interface": {"type": "str"},
            "port": {"type": "int", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
            "source": {"type": "list", "elements": "str", "default": ["0.0.0.0/0"]},
        },
        required_one_of=[("instance", "address")],
        required_by={"zone": "instance"},
        supports_check_mode=True,
    )
    run_module(module, lambda calls: look(calls, module.params))


if __name__ == "__main__":
    main()
