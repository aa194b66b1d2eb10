#!/usr/bin/python
"""Stage a release of the server on the managed host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Stage a release of the Exotel voicebot server
description:
  - Builds the project's wheel on the controller, collects every locked wheel for the host's Python and platform, and
    installs them on the host into a virtual environment of its own below O(root).
  - A release is named after everything that goes into it, is never changed, and is built once on the controller and
    copied only to hosts that lack it. Each wheel is compared with the hashes of the lock, on the controller and once more
    on the host before anything is installed. Of its wheels only those are copied that no other release on the host has
    installed; the files of the others are shared by hard links.
  - The host needs the Python interpreter O(python) and nothing else; no pip, no compiler and no package index.
  - Staging changes nothing for the serving server. M(exotel.voicebot.generation) puts a release into service.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
options:
  source:
    description: Directory on the controller with the tree of this project. Bundles are cached in C(.cache) inside it.
    type: path
    required: true
  extras:
    description:
      - Extras of the project that the release has, each with a lock file in C(requirements). Without any the release can
        serve in echo mode only.
    type: list
    elements: str
    default: []
  python:
    description: The interpreter on the host that runs the server. CPython 3.11 or newer.
    type: path
    default: /usr/bin/python3
  root:
    description: Directory on the host that holds the releases.
    type: path
    default: /opt/exotel-ws/releases
  bundle:
    description: Archive on the host to install from. Set by the action plugin, not by users.
    type: path
  wheels:
    description: The SHA-256 of each wheel of O(bundle) by its name, which the host compares before it installs one. Set by the
      action plugin, not by users.
    type: dict
  release:
    description: The release that O(bundle) must be. Without a bundle, what of it is on the host is looked for. Set by the
      action plugin, not by users.
    type: str
attributes:
  action:
    description: Runs partly on the controller.
    support: full
  check_mode:
    description: Says whether the release is missing. Builds, copies and installs nothing.
    support: full
  diff_mode:
    description: Shows the releases on the host before and after.
    support: full
notes:
  - The Python that runs Ansible needs C(pip) and C(hatchling), both in C(requirements/dev.lock).
seealso:
  - module: exotel.voicebot.generation
"""

EXAMPLES = r"""
- name: Stage the release of this tree
  exotel.voicebot.release:
    source: "{{ playbook_dir }}"
    python: /usr/bin/python3
  register: staged

- name: Stage it with all that AI mode needs
  exotel.voicebot.release:
    source: "{{ playbook_dir }}"
    extras: [ai]

- name: Say which one it is
  ansible.builtin.debug:
    var: staged.release
"""

RETURN = r"""
release:
  description: The release of O(source) for this host.
  returned: always
  type: str
  sample: 0.1.0-3fa9c1d2e4
path:
  description: Where the release is on the host.
  returned: always
  type: str
  sample: /opt/exotel-ws/releases/0.1.0-3fa9c1d2e4
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.lock import Locked, deploy_lock
from ..module_utils.paths import Paths
from ..module_utils.staging import StagingFailed, held, stage, staged
from ..module_utils.systemd import CommandFailed, run

_PROBE = """
import json, platform, sys
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2],
    "implementation": platform.python_implementation(),
    "machine": platform.machine(),
    "system": platform.system(),
    "libc": platform.libc_ver()[0],
}))
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "extras": {"type": "list", "elements": "str", "default": []},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "root": {"type": "path", "default": str(Paths().releases)},
            "bundle": {"type": "path"},
            "wheels": {"type": "dict"},
            "release": {"type": "str"},
        },
        required_by={"bundle": ["release", "wheels"]},
        supports_check_mode=True,
    )
    os.umask(0o022)
    root = Path(module.params["root"])
    try:
        if module.params["release"] is None:
            module.exit_json(target=_target(module), staged=sorted(staged(root)))
        if module.params["bundle"] is None:
            module.exit_json(held=sorted(held(root, _target(module)["version"])))
        with deploy_lock(Paths().lock, f"staging of release {module.params['release']}"):
            params = module.params
            stage(Path(params["bundle"]), params["release"], root, params["python"], params["wheels"])
    except (CommandFailed, Locked, StagingFailed) as error:
        module.fail_json(msg=f"release {module.params['release']} is not staged: {error}")
    module.exit_json(changed=True)


def _target(module: AnsibleModule) -> dict[str, Any]:
    python = module.params["python"]
    if not Path(python).exists():
        named = re.search(r"3\.\d+$", python)
        if named and module.check_mode:
            return {"version": named.group(), "machine": os.uname().machine}
        module.fail_json(msg=f"{python} is not on this host. Install it, or set the variable that names it")
    target: dict[str, Any] = json.loads(run([python, "-I", "-c", _PROBE]))
    if (target["implementation"], target["system"], target["libc"]) != ("CPython", "Linux", "glibc"):
        module.fail_json(msg=f"{python} is no CPython on Linux with glibc, and there are no wheels for it: {target}")
    if tuple(map(int, target["version"].split("."))) < (3, 11):
        module.fail_json(msg=f"{python} is Python {target['version']}; the server needs 3.11 or newer")
    return target


if __name__ == "__main__":
    main()
