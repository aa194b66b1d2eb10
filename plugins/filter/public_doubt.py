"""``public_doubt``: why Exotel will not reach a host."""

from __future__ import annotations

from ..module_utils.public_address import CURE, doubt
from ..plugin_utils.filters import filter_module

DOCUMENTATION = """
name: public_doubt
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Why Exotel will not reach a host
description:
  - A sentence with its cure where the host is a private, loopback, link-local or documentation address, or a local name. Empty
    where nothing speaks against it. C(exotelctl url) and C(exotelctl doctor) judge by the same function.
options:
  _input:
    description: A name or an address, with or without brackets.
    type: str
    required: true
"""

EXAMPLES = """
- name: Say that Exotel cannot reach 10.0.0.5
  ansible.builtin.debug:
    msg: "{{ '10.0.0.5' | exotel.voicebot.public_doubt }}"
"""

RETURN = """
_value:
  description: The sentence, or an empty text.
  type: str
"""


def public_doubt(host: str) -> str:
    """Return why Exotel will not reach `host`, with the cure; empty if no reason is known."""
    why = doubt(host)
    return f"{why}: {CURE}." if why else ""


FilterModule = filter_module(public_doubt)
