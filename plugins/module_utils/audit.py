"""The host's own record of what was done to it: one line of JSON per action."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def record(path: Path, **fields: str | None) -> None:
    """Append `fields` and the time (UTC) to the audit file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **fields}, ensure_ascii=False)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(line + "\n")
