#!/usr/bin/python
"""Let HAProxy serve the edge, or take the edge away."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge
short_description: Let HAProxy serve the edge, or take the edge away
description:
  - Compares what the running HAProxy has loaded with the files of the role C(edge), and starts or reloads it if they differ. It
    is never restarted, so that no call is cut.
  - Takes the edge away by a drain. HAProxy takes no new call, and ends with its last one; what bounds that end is removed then.
  - Finds nothing to do where HAProxy serves what it should, or where there is no edge.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
options:
  state:
    description: Whether HAProxy is to serve the edge.
    type: str
    choices: [serving, absent]
    default: serving
  cut:
    description: For O(state=absent), end HAProxy at once, with the calls that it has.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what would be done. Touches nothing.
    support: full
  diff_mode:
    description: What differs is in files, which other tasks show.
    support: none
seealso:
  - module: exotel.voicebot.uninstall
"""

EXAMPLES = r"""
- name: Let HAProxy serve what is in /etc/exotel-edge
  exotel.voicebot.edge:

- name: Take the edge away, once its calls have ended
  exotel.voicebot.edge:
    state: absent
"""

RETURN = r"""
steps:
  description: What has to be done, in order.
  returned: success
  type: list
  elements: str
done:
  description: What was done, a line each. Empty in check mode.
  returned: success
  type: list
  elements: str
waits:
  description: A setting of the unit holds from HAProxy's next start on.
  returned: success
  type: bool
drains:
  description: HAProxy of an edge that was taken away still finishes calls.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.edge import Edge, EdgeFailed, plan_leaving, plan_serving
from ..module_utils.systemd import CommandFailed


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["serving", "absent"], "default": "serving"},
            "cut": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    edge, serving, done = Edge(), module.params["state"] == "serving", []
    try:
        found = edge.look()
        steps = plan_serving(found) if serving else plan_leaving(found, cut=module.params["cut"])
        if steps and not module.check_mode:
            done = list(edge.serve(steps) if serving else edge.leave(steps))
            found = edge.look()
    except (CommandFailed, EdgeFailed, OSError) as error:
        module.fail_json(msg=str(error), done=done)
    drains = not serving and found.ours and found.runs
    module.exit_json(changed=bool(steps), steps=list(steps), done=done, waits=found.waits, drains=drains)


if __name__ == "__main__":
    main()
