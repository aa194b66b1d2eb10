"""The documentation of the action of the same name."""

# Copyright: The exotel-voicebot developers
# Apache-2.0

from __future__ import annotations

DOCUMENTATION = """
module: look
short_description: Looks at a host before anything is done there
version_added: 0.1.0
description:
  - Runs a script on the host by its shell, without Python, and returns the facts that it prints. Changes nothing, and runs in
    check mode too.
  - A host that cannot be reached is named with what SSH says and the cure, and is unreachable for the play. Where the login
    works and root does not, the task fails with the cure.
options:
  script:
    description: For a POSIX shell. It prints a line C(--- look), and then YAML.
    type: str
    required: true
  environment:
    description: Variables of the shell that the script reads. C(INTERPRETER) is C(ansible_python_interpreter), if that is set.
    type: dict
    default: {}
attributes:
  check_mode:
    description: It looks in check mode as it does otherwise, for it changes nothing.
    support: full
  diff_mode:
    description: There is nothing that could differ.
    support: none
author: The exotel-voicebot developers (!UNKNOWN)
"""

EXAMPLES = """
- name: Look who we are there
  exotel.voicebot.look:
    script: 'echo "--- look"; echo "uid: $(id -u)"'
  register: seen
"""

RETURN = """
facts:
  description: What the script printed after its line C(--- look).
  type: raw
  returned: success
"""
