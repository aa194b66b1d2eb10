"""Write the results for people and for programs.

port
  ✅ port-stranger       port 8765: held by 3 processes of our own units
reach
  ❌ host-firewall       the rule drops tcp:8765: tcp dport 8765 drop
       evidence: table inet filter, chain input
       remedy:   Delete the rule, or let the port in before it.
         safe:   nft -a list ruleset
         risky:  nft delete rule inet filter input handle 4
       see docs/runbook.md#host-firewall
17 ok, 1 failed, 2 unknown (need root)
❌ host-firewall
After the cure look at what came since: exotelctl doctor --since -2min
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from exotel_phone.text import printable

from exotelctl.doctor.result import GROUPS, Result, Verdict

_MARKS: Final[dict[Verdict, str]] = {"ok": "✅", "warn": "⚠️ ", "fail": "❌", "unknown": "❔", "skipped": "⏭️ "}
_WORDS: Final[dict[Verdict, str]] = {
    "ok": "ok",
    "fail": "failed",
    "warn": "to look at",
    "unknown": "unknown",
    "skipped": "skipped",
}
_RED: Final[tuple[Verdict, ...]] = ("fail", "warn")
_MOST: Final = 400


def text(results: Sequence[Result], *, verbose: bool) -> str:
    """Return a line for each check, by group, with details where it is not ok, or everywhere if ``verbose``."""
    lines: list[str] = []
    width = max((len(result.id) for result in results), default=0)
    for group in GROUPS:
        found = [result for result in results if result.group == group]
        if found:
            lines.append(group)
        for result in found:
            lines += _lines(result, width, verbose)
    return "\n".join([*lines, summary(results), *_last_words(results)])


def _last_words(results: Sequence[Result]) -> list[str]:
    """Repeat what is red, below what has scrolled away, and say how to see if a cure has worked."""
    found = {verdict: [result.id for result in results if result.verdict == verdict] for verdict in _RED}
    lines = [f"{_MARKS[verdict]} {', '.join(ids)}" for verdict, ids in found.items() if ids]
    return [*lines, "After the cure look at what came since: exotelctl doctor --since -2min"] if lines else []


def _lines(result: Result, width: int, verbose: bool) -> list[str]:
    says = f"blocked by {result.blocked_by}: {result.says}" if result.blocked_by else result.says
    rootless = result.verdict == "unknown" and result.needs == "root"
    says += " (needs root)" if rootless and not result.blocked_by else ""
    lines = [f"  {_MARKS[result.verdict]} {result.id:<{width}}  {printable(says, _MOST)}"]
    told = not (result.blocked_by or rootless or result.verdict in ("ok", "skipped"))
    if not (told or verbose):
        return lines
    if verbose:
        lines.append(f"       claim:    {result.claim}")
    lines += [f"       evidence: {printable(item, _MOST)}" for item in result.evidence]
    if verbose:
        lines.append(f"       does not prove {result.does_not_prove}")
    if result.needs and not rootless:
        lines.append(f"       needs:    {printable(result.needs, _MOST)}")
    remedy = result.remedy
    if remedy is not None:
        lines.append(f"       remedy:   {printable(remedy.text, _MOST)}")
        lines += [f"         safe:   {command}" for command in remedy.safe_commands]
        lines += [f"         risky:  {command}" for command in remedy.risky_commands]
    if told:
        lines.append(f"       see {result.runbook}")
    return lines


def summary(results: Sequence[Result]) -> str:
    """Return ``17 ok, 1 failed, 2 unknown (need root), 3 skipped (2 blocked)``."""
    parts = []
    for verdict, word in _WORDS.items():
        found = [result for result in results if result.verdict == verdict]
        if not found:
            continue
        part = f"{len(found)} {word}"
        if verdict == "unknown" and any(result.needs == "root" for result in found):
            part += " (need root)"
        if verdict == "skipped" and (blocked := sum(result.blocked_by is not None for result in found)):
            part += f" ({blocked} blocked)"
        parts.append(part)
    return ", ".join(parts)


def as_json(results: Sequence[Result]) -> dict[str, object]:
    """Return the counts and every result, whatever its verdict."""
    counts = {verdict: sum(result.verdict == verdict for result in results) for verdict in _MARKS}
    return {"summary": summary(results), "counts": counts, "results": [dataclasses.asdict(result) for result in results]}
