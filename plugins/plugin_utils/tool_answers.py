"""Read what ``exotelctl`` answered on hosts, from the registered results of the tasks that ran it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

ANSWERED = (0, 1)
"""Exit codes of ``exotelctl logs`` with an answer: lines, or none that match."""

_ABSENT = "No such file or directory"
_DEPLOY = "Is anything deployed there? ansible-playbook deploy.yml -i INVENTORY"


def tool_fault(result: Mapping[str, Any]) -> str:
    """Return why the tool gave no answer; report a tool that could not be started as not deployed."""
    said, message = (str(result.get(name) or "").strip() for name in ("stderr", "msg"))
    if said:
        return said
    if result.get("unreachable"):
        return f"unreachable: {message}"
    whole = f"{message} {result.get('exception') or ''}"
    if _ABSENT in whole or message.startswith("Error executing command"):
        return f"there is no exotelctl on it. {_DEPLOY}"
    return message if message and message != "non-zero return code" else f"exit code {result.get('rc', 'unknown')}"


def plain_text(text: str) -> str:
    """Return `text` without the characters that make Ansible quote the whole of it.

    These are what libyaml does not print, which is most emoji, and blanks at the end of a line.
    """
    return re.sub(" +(?=\n|$)", "", re.sub("[\U00010000-\U0010ffff] ?", "", text))


def failed_checks(result: Mapping[str, Any]) -> str:
    """Return the checks of a doctor's text that failed, in one line, or what it wrote to stderr instead."""
    if said := str(result.get("stderr") or ""):
        return said
    lines = plain_text(str(result.get("stdout") or "")).splitlines()
    return "; ".join(line.strip() for line in lines if "❌" in line)


def merged_logs(hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the JSON lines of all hosts for ``exotelctl logs --merge``, each host's after a line that names it.

    A host that gave no answer has the reason in its ``fault``. `variables` has, by host, ``__oncall_logs``, the result of the
    task that asked, and ``__preflight_look``, that of the task before, which stands for it where it was skipped.
    """
    lines = []
    for host in hosts:
        asked = variables[host].get("__oncall_logs") or {"skipped": True}
        result = variables[host].get("__preflight_look") or {} if asked.get("skipped") else asked
        answered = result.get("rc", -1) in ANSWERED
        lines.append(json.dumps({"kind": "source", "host": host, "fault": "" if answered else tool_fault(result)}))
        if answered:
            lines.append(str(result.get("stdout") or ""))
    return "".join(f"{line}\n" for line in lines)
