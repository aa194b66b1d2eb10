"""``url_host``: a host as it stands in a URL."""

from __future__ import annotations

from ..plugin_utils.filters import filter_module
from ..plugin_utils.reach import bare, in_url

DOCUMENTATION = """
name: url_host
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: A host as it stands in a URL
description:
  - An IPv6 address in brackets, everything else as it is.
options:
  _input:
    description: A name or an address, with or without brackets.
    type: str
    required: true
"""

EXAMPLES = """
- name: Show ws://[2001:db8::1]:8765
  ansible.builtin.debug:
    msg: "ws://{{ '2001:db8::1' | exotel.voicebot.url_host }}:8765"
"""

RETURN = """
_value:
  description: The host.
  type: str
"""


def url_host(host: str) -> str:
    """Return `host` as written in a URL: an IPv6 address in brackets."""
    return in_url(bare(host))


FilterModule = filter_module(url_host)
