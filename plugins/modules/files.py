#!/usr/bin/python
"""Keep directories and files as they are given, all in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Keep directories and files as they are given, all in one step
description:
  - Makes directories, writes files and removes others, in this order, secrets before other files. All that it makes belongs to
    the user and the group that it runs as.
  - Whoever reads a file meanwhile sees the old or the new one. A file that is as it should be is not touched.
  - One run of it takes the time that M(ansible.builtin.copy) takes for one file.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
options:
  directories:
    description: The mode of each directory, such as C("0755"), by its path. Those above it are made too where they lack.
    type: dict
    default: {}
  secrets:
    description: The text of each file that its owner alone may read, by its path. Never shown.
    type: dict
    default: {}
  files:
    description: Other files, in the order in which they are written.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is.
        type: path
        required: true
      content:
        description: Its text.
        type: str
        required: true
      mode:
        description: Its mode.
        type: str
        default: "0644"
      validate:
        description: A program and its arguments, to which the name of the new file is added. Where it fails, the old file stays.
        type: list
        elements: str
        default: []
  absent:
    description: Paths that are removed, directories with all that they hold.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Says what would be changed, and touches nothing. O(files[].validate) is not asked.
    support: full
  diff_mode:
    description: Shows the texts before and after, but those of O(secrets).
    support: full
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Configure HAProxy, once it accepts that
  exotel.voicebot.files:
    directories: {/etc/exotel-edge: "0755"}
    secrets:
      /etc/exotel-edge/tokens.lst: "{{ tokens }}"
    files:
      - path: /etc/exotel-edge/haproxy.cfg
        content: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
        mode: "0640"
        validate: [/usr/sbin/haproxy, -c, -q, -f]
"""

RETURN = r"""
paths:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.systemd import CommandFailed
from ..module_utils.wanted_files import NotWanted, Wanted, differences

_FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "validate": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            # Keep them out of the host's syslog, where the group adm can read a module's options.
            "files": {"type": "list", "elements": "dict", "default": [], "no_log": True, "options": _FILE},
            "absent": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    params = module.params
    # no_log alone would blot out every text of the files.
    module.no_log_values = {line for text in params["secrets"].values() for line in text.splitlines() if line}
    shown = {**params, "secrets": sorted(params["secrets"]), "files": [{**one, "content": "..."} for one in params["files"]]}
    said: dict[str, Any] = {"invocation": {"module_args": shown}}
    changed = []
    try:
        for difference in differences(_wanted(params)):
            if not module.check_mode:
                difference.settle()
            changed.append(difference)
    except (CommandFailed, NotWanted, OSError, ValueError) as error:
        module.fail_json(msg=str(error), changed=bool(changed), **said)
    paths = [str(one.wanted.path) for one in changed]
    module.exit_json(changed=bool(changed), paths=paths, diff=[one.shown() for one in changed], **said)


def _wanted(params: dict[str, Any]) -> list[Wanted]:
    return [
        *(Wanted(Path(path), "directory", int(mode, 8)) for path, mode in params["directories"].items()),
        *(Wanted(Path(path), "file", 0o600, text, secret=True) for path, text in params["secrets"].items()),
        *(
            Wanted(Path(one["path"]), "file", int(one["mode"], 8), one["content"], validate=tuple(one["validate"]))
            for one in params["files"]
        ),
        *(Wanted(Path(path), "absent") for path in params["absent"]),
    ]


if __name__ == "__main__":
    main()
