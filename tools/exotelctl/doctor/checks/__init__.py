"""The checks, in the order of the report. Each is judged exactly once in every run."""

import dataclasses
from typing import Final

from exotelctl.doctor import causes
from exotelctl.doctor.checks import calls, certificate, edge, firewall, host, keys, limits, outside, port, reach, units
from exotelctl.doctor.checks.check import Check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.facts.log import WORKERS_JOURNALD
from exotelctl.doctor.result import Result

_IN_ORDER: Final = (port, units, edge, certificate, firewall, outside, reach, calls, keys, limits, host)
ALL: Final = tuple({one.id: one for module in _IN_ORDER for one in vars(module).values() if isinstance(one, Check)}.values())
"""The checks of each file, in the order in which they stand there."""
_BLIND: Final = "the journal does not keep what is logged now: that nothing is in it means nothing"
IDS: Final = tuple(check.id for check in ALL)


def judge(facts: Facts) -> list[Result]:
    """Return the result of every check, with consequences marked."""
    return causes.mark([_judged(check, facts) for check in ALL])


def _judged(check: Check, facts: Facts) -> Result:
    """Run a check. While the journal loses lines, its entries can still prove a fault, but never that there is none."""
    found = check.run(facts)
    lost = facts.log.value is not None and WORKERS_JOURNALD in facts.log.value.broken
    if check is host.journal or not lost or found.verdict not in ("ok", "skipped"):
        return found
    blind = check.run(dataclasses.replace(facts, calls=Fact(missing=_BLIND, at=facts.calls.at, ms=facts.calls.ms)))
    return dataclasses.replace(blind, verdict="skipped", blocked_by=host.journal.id) if blind.verdict == "unknown" else blind
