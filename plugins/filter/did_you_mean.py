"""``did_you_mean``: unknown names, each with the known one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

DOCUMENTATION = """
name: did_you_mean
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Name unknown variables and what was probably meant
description:
  - For each unknown name a sentence that names it, and the known name that is most like it, if there is one.
options:
  _input:
    description: The unknown names.
    type: list
    elements: str
    required: true
  known:
    description: The names that exist.
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- name: Say which variables do not exist
  ansible.builtin.debug:
    msg: "{{ ['exotel_ws_prot'] | exotel.voicebot.did_you_mean(['exotel_ws_port']) }}"
"""

RETURN = """
_value:
  description: A sentence for each unknown name.
  type: list
  elements: str
  sample: ["unknown variable exotel_ws_prot (did you mean exotel_ws_port?)"]
"""


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return ``unknown variable X``, with a suggestion where a known name is close, for each name in ``unknown``."""
    names = sorted(known)
    sentences = []
    for name in unknown:
        close = difflib.get_close_matches(name, names, n=1)
        sentences.append(f"unknown variable {name}" + (f" (did you mean {close[0]}?)" if close else ""))
    return sentences


class FilterModule:
    """Filters of this file, as Ansible finds them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """The filter by its name."""
        return {"did_you_mean": did_you_mean}
