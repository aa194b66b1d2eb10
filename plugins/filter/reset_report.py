"""``reset_report``: what exotelctl reset said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.filters import filter_module

DOCUMENTATION = """
name: reset_report
author: The exotel-voicebot developers
version_added: 0.1.0
short_description: What exotelctl reset said
description:
  - Reads the JSON of C(exotelctl reset) and makes the sentences that a playbook shows.
options:
  _input:
    description: The registered result of the task that ran it.
    type: dict
    required: true
  host:
    description: The name of the host.
    type: str
    required: true
  drain_s:
    description: Seconds that live calls get to end by themselves.
    type: int
    default: 0
"""

EXAMPLES = """
- name: Say how many calls it cuts
  ansible.builtin.debug:
    msg: "{{ (foreseen | exotel.voicebot.reset_report(inventory_hostname)).foreseen }}"
"""

RETURN = """
_value:
  description:
    - C(answered), whether the command could judge. Of an answer also C(foreseen), what a reset cuts and ends; C(refused), why the
      host refuses it, else empty; C(failed), why it does not serve again, with the journal and the state; C(done), what was done.
  type: dict
"""


def reset_report(result: Mapping[str, Any], host: str, drain_s: int = 0) -> dict[str, Any]:
    """Return what `RETURN` says. Raises AnsibleFilterError for an answer that is no JSON of the command."""
    text = str(result.get("stdout") or "")
    if not text.startswith("{"):
        return {"answered": False}
    try:
        said = json.loads(text)
        return {
            "answered": True,
            "foreseen": _foreseen(said, host, int(drain_s)),
            "refused": f"{host}: {said['problem']}" if said["outcome"] == "refused" else "",
            "failed": "\n".join(part for part in (f"{host}: {said['problem']}", said["journal"], said["state"]) if part),
            "done": _done(said, host),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"reset_report: the answer is not that of exotelctl reset --json: {error}") from None


def _foreseen(said: Mapping[str, Any], host: str, drain_s: int) -> str:
    end = f"(those that do not end within {drain_s} s) " if drain_s > 0 else ""
    calls = ", ".join(f"{worker['instance']} ({worker['state']}): {worker['calls']}" for worker in said["workers"])
    strangers = "; ".join(stranger["why"] for port in said["ports"] for stranger in port["strangers"])
    text = f"A reset of {host} to {said['generation']} cuts {said['calls_live']} live calls {end}[{calls}]"
    return f"{text} and ends what is not ours: {strangers}" if strangers else text


def _done(said: Mapping[str, Any], host: str) -> str:
    verified = ", ".join(check["claim"] for check in said["verified"] if check["ok"])
    return f"{said['generation']} serves again on {host}: {said['calls_cut']} calls were cut, {verified}"


FilterModule = filter_module(reset_report)
