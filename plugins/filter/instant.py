"""``instant``: an absolute time of this machine's clock as the instant that it is."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: instant
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: An absolute time as an instant
description:
  - A host in another zone takes a time without a zone for one of its own. An absolute time becomes C(@SECONDS) here, which is
    the same everywhere. Without a zone in it, it is of the controller's.
  - A relative time, such as C(-2h) or C(today), stays as it is, for the host's own clock.
options:
  _input:
    description: A time such as C(2026-11-25 10:00), C(2026-11-25 10:00:00 +0530), C(2026-11-25T10:00:00Z) or C(-2h).
    type: str
    required: true
"""

EXAMPLES = """
- name: Show @1795602600
  ansible.builtin.debug:
    msg: "{{ '2026-11-25 10:30 UTC' | exotel.voicebot.instant }}"
"""

RETURN = """
_value:
  description: The instant in Unix seconds after an C(@), or the text as it was.
  type: str
"""


def instant(text: str) -> str:
    """Return an absolute time as ``@SECONDS``, any other text unchanged. Raises AnsibleFilterError without the tool."""
    try:
        from exotelctl import instant as times
    except ImportError as error:
        raise AnsibleFilterError(
            f"exotelctl is not installed beside Ansible here ({error}): type make venv, and use the ansible-playbook of .venv"
        ) from None
    return times.instant(str(text))


class FilterModule:
    """Filters of this file, as Ansible finds them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"instant": instant}
