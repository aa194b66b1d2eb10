"""Define a check: a pure function from facts to a finding, with its id, its claim and the limits of that claim beside it."""

import dataclasses
import re
from collections.abc import Callable
from typing import Final

from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import Fact, NotSeen
from exotelctl.doctor.result import RUNBOOK, Finding, Group, Result, unknown

_DOCSTRING: Final = re.compile(r"Claim: (.*)\. Does not prove: (.*)\.")
Judge = Callable[[Facts], Finding]


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """``of`` names the fact that it rests on most, ``claim`` what holds if it is ok."""

    id: str
    group: Group
    of: str
    claim: str
    does_not_prove: str
    judge: Judge

    def run(self, facts: Facts) -> Result:
        """Judge. A fact that is missing, or a fault of the check itself, is an unknown that says why."""
        try:
            finding = self.judge(facts)
        except NotSeen as not_seen:
            finding = unknown(str(not_seen), needs=not_seen.needs)
        except Exception as error:
            finding = unknown(f"judging failed: {type(error).__name__}: {error}")
        fact: Fact[object] | None = getattr(facts, self.of)
        found = {field.name: getattr(finding, field.name) for field in dataclasses.fields(finding)}
        return Result(
            id=self.id,
            group=self.group,
            claim=self.claim,
            does_not_prove=self.does_not_prove,
            runbook=f"{RUNBOOK}#{self.id}",
            blocked_by=None,
            observed_at=fact.at if fact else facts.collected_at,
            duration_ms=fact.ms if fact else 0.0,
            **found,
        )


def check(id: str, group: Group, *, of: str = "calls") -> Callable[[Judge], Check]:
    """Make a judging function the check ``id``; its docstring is ``Claim: … . Does not prove: … .``"""

    def make(judge: Judge) -> Check:
        said = _DOCSTRING.fullmatch(" ".join((judge.__doc__ or "").split()))
        assert said, f"{id}: its docstring says what it claims, and what it does not prove"
        return Check(id, group, of, said[1], said[2], judge)

    return make
