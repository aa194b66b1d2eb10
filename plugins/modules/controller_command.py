"""The documentation of the action of the same name."""

# Copyright: The exotel-voicebot developers
# Apache-2.0

from __future__ import annotations

DOCUMENTATION = """
module: controller_command
short_description: Runs a command on the controller that changes nothing there
version_added: 0.1.0
description:
  - Runs a program on the controller as the user who typed the command. It makes no connection and becomes no other user, whatever
    an inventory, C(-e) or C(--become) says to its hosts. It runs in check mode too.
options:
  argv:
    description: The program and its arguments. No shell is involved.
    type: list
    elements: str
    required: true
  stdin:
    description: What it reads from its standard input. Nothing is added.
    type: str
    default: ""
  files:
    description:
      - Files that are in its working directory, a directory of its own that is deleted afterwards. Their contents by their
        names, in base64.
    type: dict
    default: {}
  timeout:
    description: Seconds after which it is ended.
    type: int
    default: 600
  variables:
    description: What is added to its environment.
    type: dict
    default: {}
attributes:
  check_mode:
    description: It runs in check mode as it does otherwise, for it changes nothing.
    support: full
  diff_mode:
    description: There is nothing that could differ.
    support: none
author: The exotel-voicebot developers (!UNKNOWN)
"""

EXAMPLES = """
- name: Call the server from here
  exotel.voicebot.controller_command:
    argv: [exotelctl, call, "ws://203.0.113.10:8765", --json]
"""

RETURN = """
rc:
  description: The exit code; 127 if the program could not be started, 124 if it did not end in time.
  type: int
  returned: always
stdout:
  description: What it printed, without the last line's end.
  type: str
  returned: always
stderr:
  description: What it printed as errors.
  type: str
  returned: always
"""
