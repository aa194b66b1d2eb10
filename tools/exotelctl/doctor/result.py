"""Define what a check returns: `Finding` is its own word, `Result` that word with everything that a report prints."""

import dataclasses
from typing import Final, Literal

Verdict = Literal["ok", "warn", "fail", "unknown", "skipped"]
Group = Literal["port", "units", "edge", "reach", "calls", "limits", "host"]

GROUPS: Final[tuple[Group, ...]] = ("port", "units", "edge", "reach", "calls", "limits", "host")
RUNBOOK: Final = "docs/runbook.md"


@dataclasses.dataclass(frozen=True, slots=True)
class Remedy:
    """Cure of a fault. ``safe_commands`` change nothing or cut no call; ``risky_commands`` may, and are never run unread."""

    text: str
    safe_commands: tuple[str, ...] = ()
    risky_commands: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """``says`` is one sentence; ``evidence`` are the facts behind it. ``needs`` is what was missing to look (``root`` …)."""

    verdict: Verdict
    says: str
    evidence: tuple[str, ...] = ()
    remedy: Remedy | None = None
    needs: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One check of one run.

    ``claim`` is what holds where it is ok, and ``does_not_prove`` what even then may be wrong. ``blocked_by`` is the check
    whose finding explains this one, None where it stands for itself. ``observed_at`` is in Unix seconds, ``duration_ms``
    what it took to look.
    """

    id: str
    group: Group
    verdict: Verdict
    claim: str
    says: str
    evidence: tuple[str, ...]
    does_not_prove: str
    remedy: Remedy | None
    runbook: str
    blocked_by: str | None
    observed_at: float
    duration_ms: float
    needs: str


def ok(says: str, *evidence: str) -> Finding:
    """Find that the claim holds; ``says`` tells by what."""
    return Finding("ok", says, evidence)


def skipped(says: str, *evidence: str) -> Finding:
    """Find nothing to judge, which is no fault."""
    return Finding("skipped", says, evidence)


def unknown(says: str, *evidence: str, needs: str = "", remedy: Remedy | None = None) -> Finding:
    """Find that it could not be looked at or judged."""
    return Finding("unknown", says, evidence, remedy, needs)


def warn(says: str, *evidence: str, remedy: Remedy | None = None) -> Finding:
    """Find something to know that breaks no call now."""
    return Finding("warn", says, evidence, remedy)


def fail(says: str, *evidence: str, remedy: Remedy) -> Finding:
    """Find that the claim does not hold."""
    return Finding("fail", says, evidence, remedy)
