"""The audit file of this host: deploys, rollbacks and the like leave a record in it, one JSON object a line."""

import dataclasses
import json
from pathlib import Path
from typing import Final

FILE: Final = Path("/var/lib/exotel-ws/audit.jsonl")
_DEPLOYS: Final = ("deploy", "rollback", "restart")
"""Actions that replace the generation that serves. The end of a maintenance may too, but with the same content."""


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One line: ``who`` did what ``when`` (UTC, as text) to which generation and release, and how it ended.

    ``outcome`` is "done", or "failed: …" with the reason, which may be long. What the line does not say is "".
    """

    when: str
    who: str
    action: str
    generation: str
    release: str
    reason: str
    outcome: str


def last_deploy(file: Path = FILE) -> Action | None:
    """Return the newest deploy, rollback or restart, None if there is none yet. Raises PermissionError unless root."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    found = (parse(line) for line in reversed(text.splitlines()))
    return next((action for action in found if action and action.action in _DEPLOYS), None)


def parse(line: str) -> Action | None:
    """Return the action in a line; None for a line that was not written to its end."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    names = ("time", "who", "action", "generation", "release", "reason", "outcome")
    return Action(*(str(said.get(name) or "") for name in names))
