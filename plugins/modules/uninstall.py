#!/usr/bin/python
"""Take the server off a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: uninstall
short_description: Take the Exotel voicebot server off a host
description:
  - Ends every unit of the server and removes all that a deploy has put on the host. These are units, generations with their
    settings and secrets, releases, commands, completions, the server's own journal, the audit file, runtime directories, the
    service's user and group.
  - What was recorded of calls is kept, for root only, unless O(records=true).
  - Finds nothing to do on a host without the server. One that was interrupted is finished by the next run.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
options:
  drain_s:
    description: Seconds that live calls get to end by themselves, while new ones are refused. Those that are left are closed.
    type: float
    default: 0
  records:
    description: Remove what was recorded of calls, too.
    type: bool
    default: false
  requested_by:
    description: Who asks, for the lock and the host's journal.
    type: str
    default: unknown
attributes:
  check_mode:
    description: Says what would be ended and removed. Touches nothing.
    support: full
  diff_mode:
    description: Shows the paths on the host before and after.
    support: full
seealso:
  - module: exotel.voicebot.generation
"""

EXAMPLES = r"""
- name: Take the server off, once its calls have ended, but after ten minutes in any case
  exotel.voicebot.uninstall:
    drain_s: 600
"""

RETURN = r"""
calls_live:
  description: Live calls when it was looked at; null when a worker did not say.
  returned: success
  type: int
  sample: 3
summary:
  description: What is cut, removed and kept, a line each.
  returned: success
  type: list
  elements: str
done:
  description: What was ended and removed. Empty in check mode.
  returned: success
  type: list
  elements: str
nothing:
  description: The host had nothing of the server.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.lock import Locked, deploy_lock
from ..module_utils.paths import Paths
from ..module_utils.systemd import CommandFailed, Systemd
from ..module_utils.uninstall import Found, Uninstall, UninstallFailed, in_words


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "drain_s": {"type": "float", "default": 0},
            "records": {"type": "bool", "default": False},
            "requested_by": {"type": "str", "default": "unknown"},
        },
        supports_check_mode=True,
    )
    records, done = module.params["records"], []
    if not 0 <= module.params["drain_s"] <= 86_400:
        module.fail_json(msg=f"drain_s is {module.params['drain_s']:g}: it must be from 0 to 86400 seconds")
    try:
        this = Uninstall(Systemd())
        found = this.look(records)
        if not module.check_mode and not found.nothing:
            who = module.params["requested_by"]
            module.log(f"uninstall of the Exotel voicebot server, asked for by {who}")
            with deploy_lock(Paths().lock, f"uninstall by {who}"):
                # Look again, so that the lock's own file is found, too.
                done = list(this.remove(this.look(records), module.params["drain_s"], records))
    except (CommandFailed, Locked, OSError, UninstallFailed) as error:
        module.fail_json(msg=str(error), done=done)
    result: dict[str, object] = {
        "calls_live": found.calls,
        "summary": in_words(found, records),
        "done": done,
        "nothing": found.nothing,
    }
    if module._diff:
        result["diff"] = _diff(found)
    module.exit_json(changed=not found.nothing, **result)


def _diff(found: Found) -> dict[str, str]:
    account = [word for word, there in (("user exotel-ws", found.user), ("group exotel-ws", found.group)) if there]
    before = [*found.live, *map(str, found.paths), *account]
    return {"before_header": "the server", "after_header": "the server", "before": "\n".join([*before, ""]), "after": ""}


if __name__ == "__main__":
    main()
