"""Grade a share of bad calls. One stranger among a hundred good calls is no outage; one call of one is."""

from collections.abc import Sequence

from exotel_phone.text import plural

from exotelctl.doctor.facts.journal import Bound, Conn, Refused
from exotelctl.doctor.result import Finding, Remedy, Verdict, fail, warn

_SHARE = 0.2
_IN_A_ROW = 3


def grade(bad: Sequence[float], good: Sequence[float]) -> Verdict:
    """Return the verdict by the times (Unix seconds) of the bad and the good ones.

    Red where a fifth or more of all are bad, or the newest three; a warning where fewer are.
    """
    if not bad:
        return "ok"
    newer_than_good = [at for at in bad if not good or at > max(good)]
    if len(bad) >= _SHARE * (len(bad) + len(good)) or len(newer_than_good) >= _IN_A_ROW:
        return "fail"
    return "warn"


def graded(bad: Sequence[float], good: Sequence[float], says: str, evidence: Sequence[str], remedy: Remedy) -> Finding:
    """Return what is bad as a failure or a warning, by its share."""
    return (fail if grade(bad, good) == "fail" else warn)(says, *evidence, remedy=remedy)


def times(found: Sequence[Conn] | Sequence[Refused] | Sequence[Bound]) -> list[float]:
    """Return the times at which they began."""
    return [one.at for one in found]


def counted(bad: int, total: int, noun: str = "call") -> str:
    """Return ``3 of 12 calls``."""
    return f"{bad} of {plural(total, noun)}"
