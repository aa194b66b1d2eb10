"""``readiness``: whether the server can be deployed to a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.filters import filter_module
from ..plugin_utils.readiness import Wanted
from ..plugin_utils.readiness import not_root as root_problem
from ..plugin_utils.readiness import readiness as judge

DOCUMENTATION = """
name: readiness
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: Whether the server can be deployed to a host
description:
  - Judges the facts that the role C(preflight) reads from a host, and names each problem with its cure.
options:
  _input:
    description: The facts that M(exotel.voicebot.look) returned.
    type: dict
    required: true
  platforms:
    description: For each supported distribution C(python), the interpreter, and C(packages), which bring it.
    type: dict
    required: true
  mode:
    description: The mode of the server.
    type: str
    default: echo
  port:
    description: The call port.
    type: int
    default: 8765
  free_mb:
    description: Free space that C(/opt) and C(/var) must have, in MB. C(ai) mode needs 1000 more.
    type: int
    default: 500
  clock_skew_s:
    description: How far the host's clock may be from the controller's, in seconds.
    type: int
    default: 30
  become_user:
    description: The user that the tasks become.
    type: str
    default: ""
  installed:
    description: The packages are installed, so a Python that is missing is a problem.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Stop if the server cannot run here
  ansible.builtin.assert:
    that: (seen.facts | exotel.voicebot.readiness(platforms)).problems | length == 0
"""

RETURN = """
_value:
  description:
    - C(platform), the entry of the host's distribution; C(python_comes), whether a package has to bring the interpreter;
      C(problems), sentences with their cures; C(findings), lines to show if there is no problem.
  type: dict
"""


def readiness(
    facts: Mapping[str, Any],
    platforms: Mapping[str, Mapping[str, Any]],
    mode: str = "echo",
    port: int = 8765,
    free_mb: int = 500,
    clock_skew_s: int = 30,
    become_user: str = "",
    installed: bool = False,
) -> dict[str, Any]:
    """Return what `RETURN` says. Raises AnsibleFilterError for facts that are not those of the preflight."""
    wanted = Wanted(mode, int(port), int(free_mb), int(clock_skew_s))
    try:
        return judge(facts, platforms, wanted, become_user, installed=installed)
    except KeyError as missing:
        raise AnsibleFilterError(f"readiness: the facts have no {missing}, which facts.sh of the role preflight reads") from None


def not_root(become_user: str) -> str:
    """Return why tasks do not run as root, and the cure; `become_user` is the user that they become, or empty."""
    return root_problem(become_user)


FilterModule = filter_module(readiness, not_root)
