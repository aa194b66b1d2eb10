"""Make a check of the edge: it is skipped where the host has none, and knows what was seen of it."""

import functools
from collections.abc import Callable, Sequence
from typing import Final

from exotelctl.doctor.checks.check import Check, check
from exotelctl.doctor.checks.cures import of_edge, of_last_hour
from exotelctl.doctor.checks.grade import graded, times
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import EdgeFacts
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.journal import RETIRED, Refused
from exotelctl.doctor.result import Finding, Remedy, skipped, warn
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.facts import Inside
from exotelctl.edge.runtime import counted_as

_NONE: Final = "this host has no edge: the server itself takes calls"
_NO_ACME: Final = "the certificate does not come from ACME: nothing renews it here"
_OLDER: Final = "the exotelctl of this host is of a release that has no edge"
Judge = Callable[[Facts, EdgeFacts, EdgeConfig], Finding]


def edge_check(id: str, *, acme: bool = False) -> Callable[[Judge], Check]:
    """Make a judging function the check ``id`` of a host with an edge; with ``acme`` only where ACME issues its certificate."""

    def make(judge: Judge) -> Check:
        @functools.wraps(judge)
        def judged(facts: Facts) -> Finding:
            if facts.edge is None:
                return skipped(_OLDER)
            seen = facts.edge.get()
            if seen.edge.config is None:
                return skipped(_NONE)
            if acme and not seen.edge.config.acme:
                return skipped(_NO_ACME)
            return judge(facts, seen, seen.edge.config)

        return check(id, "edge", of="edge")(judged)

    return make


def config_of(facts: Facts) -> EdgeConfig | None:
    """Return what the edge is set to do; None where there is none, or it was not seen."""
    return facts.edge.value.edge.config if facts.edge and facts.edge.value else None


def call_port(facts: Facts) -> int:
    """Return the port that callers come to: the edge's, or the server's own. Raises NotSeen."""
    edge, deployment = config_of(facts), facts.deployment.get()
    if edge is None and facts.edge and is_loopback(deployment.host):
        facts.edge.get()  # an edge that was not seen may be in front
    return edge.port if edge else deployment.port


def asks_keys(facts: Facts) -> bool:
    """Return True if the edge, or the server, lets in only who shows a key. Raises NotSeen."""
    edge = config_of(facts)
    return facts.deployment.get().asks_credential or (edge is not None and edge.keys_asked)


def refused_by_edge(facts: Facts, *reasons: str) -> tuple[Refused, ...]:
    """Return whom the edge, if there is one, refused for any of ``reasons``. Raises NotSeen if its lines were not read."""
    seen = facts.edge.value if facts.edge else None
    if seen and seen.unread:
        raise NotSeen(seen.unread, "" if facts.as_root else "root")
    return tuple(item for item in seen.refusals if item.reason in reasons) if seen else ()


def refusals_of(edge: Sequence[Refused], server: Sequence[Refused], *matches: str) -> tuple[str, ...]:
    """Return the commands that show whom the edge refused, and whom the server did: its lines are those with all ``matches``."""
    reasons = sorted({f"reason={refused.reason}" for refused in edge})
    at_edge = (of_edge(*reasons),) if edge else ()
    return (*at_edge, of_last_hour("EVENT=refused", *matches)) if server else at_edge


def graded_by_source(facts: Facts, bad: Sequence[Refused], says: str, evidence: Sequence[str], remedy: Remedy) -> Finding:
    """Grade refusals as `graded` does; behind an edge, only those of sources that make calls can be red.

    Scanners find port 443 of every address, so a refusal is a warning where its source made no call. Before the first connection
    from outside a caller can't be told from a scanner, and the first caller's mistake has to be seen: then all are graded.
    Who shows a retired key was given it, and is no scanner.
    """
    calls = facts.calls.value
    started = calls.started if calls else ()
    if config_of(facts) is None or (calls is not None and calls.last_arrival is None):
        return graded(times(bad), times(started), says, evidence, remedy)
    proven = facts.edge.value.proven if facts.edge and facts.edge.value else ()
    callers = {counted_as(source) for source in (*proven, *(conn.remote for conn in started))}
    theirs = [one for one in bad if not one.remote or one.detail == RETIRED or counted_as(one.remote) in callers]
    if not theirs:
        return warn(says, *evidence, "none from an address that makes calls: scanners do this", remedy=remedy)
    told = [*evidence, f"{len(theirs)} from addresses that make calls"] if len(theirs) < len(bad) else evidence
    return graded(times(theirs), times(started), says, told, remedy)


def is_loopback(host: str) -> bool:
    """Return True if a server that binds ``host`` is reached from this host only."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def inside(seen: EdgeFacts) -> Inside:
    """Return HAProxy's own answers. Raises NotSeen."""
    if seen.edge.inside is None:
        raise NotSeen(seen.edge.no_inside, seen.edge.needs)
    return seen.edge.inside
