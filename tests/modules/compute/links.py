"""Names of resources in the API: full links in answers, full or partial links in requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import count

API = "https://www.googleapis.com/compute/v1/"
_numbers = count(4_611_686_018_427_387_904)
PREFIX = re.compile(r"(?:https?://[^/]+)?/?(?:compute/v1/)?")


def link(path: str) -> str:
    """Return the full link of "projects/…"."""
    return API + path


def path_of(reference: str, project: str) -> str:
    """Return the "projects/…" of a full link, a partial one or "global/networks/default" of `project`."""
    path = reference[match.end() :] if (match := PREFIX.match(reference)) else reference
    return path if path.startswith("projects/") else f"projects/{project}/{path}"


def last(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def numeric_id() -> str:
    return str(next(_numbers))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
