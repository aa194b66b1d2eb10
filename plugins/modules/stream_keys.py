"""The documentation of the action of the same name."""

# Copyright: The exotel-voicebot developers
# Apache-2.0

from __future__ import annotations

DOCUMENTATION = """
module: stream_keys
short_description: Keeps the keys of streams in a file on the controller
version_added: 0.1.0
description:
  - Adds a key to C(exotel_ws_credentials) in a file of variables, takes one out, or tells of each whether servers saw it used.
    Changes no server.
  - The file stays encrypted by Ansible Vault as it is, as a whole or entry by entry, with the same vault id. Comments and other
    variables stay. It is replaced in one step, with mode 0600, by one at a time.
  - A new key is made of 32 random bytes. It is shown on the screen once, and is in no result, log or diff.
  - What servers saw is taken from the registered result C(__keys_asked) of each host of the play, of C(exotelctl keys --json).
options:
  verb:
    description: What to do.
    type: str
    required: true
    choices: [add, list, retire]
  file:
    description:
      - The file of variables, relative to the working directory.
      - Without it the file beside the inventory that sets C(exotel_ws_credentials); else C(group_vars/all.yml), if there is one;
        else a new C(group_vars/all/keys.yml).
    type: str
    default: ""
  plain:
    description: A key may be written as plain text.
    type: bool
    default: false
  name:
    description: The key to retire, by what stands before its colon, with C(#1), C(#2) where several have the same name.
    type: str
    default: ""
  force:
    description: Retire a key that a server saw used within the last hour, or that no server could be asked about.
    type: bool
    default: false
attributes:
  check_mode:
    description: It refuses what it would refuse, and writes nothing.
    support: full
  diff_mode:
    description: It shows the names of the keys before and after.
    support: full
author: The exotel-voicebot developers (!UNKNOWN)
"""

EXAMPLES = """
- name: Make a key
  exotel.voicebot.stream_keys:
    verb: add
    file: inventory/production/group_vars/all/keys.yml
"""

RETURN = """
text:
  description: What was done, and what to type next. No key is in it.
  type: str
  returned: success
"""
