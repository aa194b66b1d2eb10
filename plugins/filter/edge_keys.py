"""``edge_keys``: lists of keys as HAProxy compares them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from ..plugin_utils.filters import filter_module

DOCUMENTATION = """
name: edge_keys
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Lists of keys as HAProxy compares them
description:
  - A key may be shown whole or by its token alone, in a header, in a path or in a query. The lists hold base64, because HAProxy
    takes a line that begins with a C(#) for a comment and cuts blanks off.
options:
  _input:
    description: The keys, each C(user:token).
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- name: Write what a path may hold
  ansible.builtin.copy:
    dest: /etc/exotel-edge/keys/tokens.lst
    content: "{{ (exotel_ws_credentials | exotel.voicebot.edge_keys)['tokens.lst'] }}"
    mode: "0600"
  no_log: true
"""

RETURN = """
_value:
  description:
    - The texts of the files, by their names. C(basic.lst) is for a Basic header, where base64 comes without C(=), C(tokens.lst)
      for the other places.
  type: dict
"""


def edge_keys(credentials: Sequence[str]) -> dict[str, str]:
    """Return the texts of the files by their names, in the order of the keys."""
    spellings = [text for credential in credentials for text in (credential, credential.partition(":")[2] or credential)]
    encoded = [b64encode(text.encode()).decode() for text in dict.fromkeys(spellings)]
    return {"basic.lst": _lines([text.rstrip("=") for text in encoded]), "tokens.lst": _lines(encoded)}


def _lines(entries: Sequence[str]) -> str:
    return "".join(f"{entry}\n" for entry in entries)


FilterModule = filter_module(edge_keys)
