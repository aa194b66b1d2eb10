#!/usr/bin/python
"""Tell what generations of the server are on a host and what they do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: generation_info
short_description: Tell what generations of the Exotel voicebot server a host has and what they do
description:
  - Lists the generations with their state and live calls, and who holds the call port.
  - Changes nothing.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: N/A
seealso:
  - module: exotel.voicebot.generation
"""

EXAMPLES = r"""
- name: Look at the generations
  exotel.voicebot.generation_info:
  register: status

- name: Show them
  ansible.builtin.debug:
    msg: "{{ status.text }}"
"""

RETURN = r"""
generations:
  description: The generations, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    generation:
      description: Its name.
      type: str
      sample: 20261122T101500-ab12cd34
    state:
      description:
        - V(serving), V(starting) or V(down) for the current one; V(draining) for one that finishes its calls;
          V(stray) for one that runs beside the current one; V(failed) for one that never served, or ended badly;
          V(kept) for one that can be rolled back to.
      type: str
    release:
      description: Its release.
      type: str
    calls_live:
      description: Calls in all its instances; null when an instance that runs does not answer.
      type: int
    instances:
      description: The systemd state of each loaded instance by its name.
      type: dict
    created:
      description: When it was made, UTC.
      type: str
    created_by:
      description: Who asked for it.
      type: str
    served:
      description: When it took over, UTC.
      type: str
    rollback_of:
      description: The generation it is a copy of, when it was made by a rollback, or by new stream keys on one that was.
      type: str
socket:
  description: The state of the socket unit, the address it listens on and the instance it starts.
  returned: success
  type: dict
  sample: {active: active, listen: "0.0.0.0:8765", service: 20261122T101500-ab12cd34-1}
back:
  description:
    - What this host can go back to. C(serving), C(previous) (what served before) and C(other_release) (the last before it of
      another release) name a C(generation), its C(release) and the C(source) of that, or are null; C(releases) has the newest
      generation of each release; C(reason) says why there is nothing that served before; C(passed_over) names the generations
      after C(previous) that differ from the serving one in stream keys only.
  returned: success
  type: dict
maintenance:
  description: The C(since), C(who) and C(reason) of a host that was taken out of service; null for one in service.
  returned: success
  type: dict
text:
  description: The same for people, a line each.
  returned: success
  type: str
"""


from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.edge import fault_of_unit
from ..module_utils.facts import gather
from ..module_utils.instance import calls_live
from ..module_utils.paths import Paths
from ..module_utils.plan import rollback_choices
from ..module_utils.staging import sources
from ..module_utils.status import rows, table
from ..module_utils.systemd import CommandFailed, Systemd


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    paths = Paths()
    try:
        facts = gather(paths, Systemd())
        edge_fault = fault_of_unit()
    except (CommandFailed, OSError, ValueError) as error:
        module.fail_json(msg=f"the state of this host cannot be read: {error}")
    calls = {name: calls_live(paths.admin_socket(name)) for name in facts.live(facts.instances)}
    found = rows(facts, calls)
    socket = {
        "active": facts.socket.active,
        "listen": facts.serving.content.listen if facts.serving else None,
        "service": facts.point,
    }
    text = table(found, socket)
    if edge_fault:
        text += f"\n❌ {edge_fault}"
    if facts.maintenance:
        text += f"\nthis host is {facts.maintenance}; it comes back by: exotelctl maintenance off"
    module.exit_json(
        changed=False,
        generations=[row._asdict() for row in found],
        socket=socket,
        back=rollback_choices(facts, sources(paths.releases)),
        maintenance=asdict(facts.maintenance) if facts.maintenance else None,
        text=text,
    )


if __name__ == "__main__":
    main()
