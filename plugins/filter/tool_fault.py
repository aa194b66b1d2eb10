"""``tool_fault``: why exotelctl gave no answer on a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = """
name: tool_fault
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Why exotelctl gave no answer on a host
description:
  - What the tool itself said, if it ran. Where it is not there, that nothing seems to be deployed, and how to deploy.
options:
  _input:
    description: The registered result of the task that ran the tool.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Stop if it could not
  ansible.builtin.fail:
    msg: "{{ __asked | exotel.voicebot.tool_fault }}"
"""

RETURN = """
_value:
  description: The reason, and what to do where the tool is missing.
  type: str
"""

_ABSENT = "No such file or directory"
_DEPLOY = "Is anything deployed there? ansible-playbook deploy.yml -i INVENTORY"


def tool_fault(result: Mapping[str, Any]) -> str:
    """Return what went wrong; report a tool that could not be started as not deployed."""
    said, message = (str(result.get(name) or "").strip() for name in ("stderr", "msg"))
    if said:
        return said
    if result.get("unreachable"):
        return f"unreachable: {message}"
    whole = f"{message} {result.get('exception') or ''}"
    if _ABSENT in whole or message.startswith("Error executing command"):
        return f"there is no exotelctl on it. {_DEPLOY}"
    return message if message and message != "non-zero return code" else f"exit code {result.get('rc', 'unknown')}"


class FilterModule:
    """Filters of this file, as Ansible finds them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"tool_fault": tool_fault}
