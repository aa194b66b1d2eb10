"""Look at the edge of this host, and at what it said of connections in the window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from exotel_phone import call_token
from exotel_phone.exits import Refusal

from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.journal import Refused
from exotelctl.doctor.mask import masked_text
from exotelctl.edge import config, facts, log
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.facts import Edge
from exotelctl.edge.log import Seen
from exotelctl.edge.runtime import Silent
from exotelctl.keys import usage

_MOST_LINES: Final = 20_000
_MOST_REFUSED: Final = 2_000
_LAST_WORDS: Final = 8
_MOST_ASKED: Final = 20
KEY_MISSING: Final = "key_missing"
KEY_WRONG: Final = "key_wrong"
"""The edge's words for why it refused a stream."""
_JUDGED: Final = (KEY_WRONG, KEY_MISSING, log.PLAIN)
"""Refusals that are judged by what their source did before, in the order in which HAProxy is asked about sources."""
_OUR_OWN: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Retired:
    """Key that is no longer taken: its name, and since when, in Unix seconds."""

    name: str
    retired: float


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """The edge, and its lines: ``refusals`` in its own words, the newest two thousand that came from other machines and were no
    test calls of ours, and ``words``, the last ones that HAProxy said beside them, each once. ``unread`` is why there are none.
    ``proven`` are those of the refused sources that made good calls within a day; ``retired`` the keys that were taken away, the
    newest first.
    """

    edge: Edge = field(default_factory=Edge)
    refusals: tuple[Refused, ...] = ()
    words: tuple[str, ...] = ()
    unread: str = ""
    proven: tuple[str, ...] = ()
    retired: tuple[Retired, ...] = ()


def look(since: float) -> EdgeFacts:
    """Look. Raises NotSeen where edge.json cannot be used."""
    try:
        edge = facts.look()
    except config.Unusable as unusable:
        raise NotSeen(str(unusable)) from None
    if edge.config is None:
        return EdgeFacts()
    try:
        seen, words = log.read(since=since, most=_MOST_LINES)
    except Refusal as refused:
        return EdgeFacts(edge, unread=str(refused))
    strangers = _of_others(seen, call_token.KEY)
    refusals = [Refused(one.at, one.reason, remote=one.client) for one in strangers if one.reason and one.client not in _OUR_OWN]
    by_reason = (one.remote for reason in _JUDGED for one in reversed(refusals) if one.reason == reason)
    sources = list(dict.fromkeys(by_reason))[:_MOST_ASKED]
    return EdgeFacts(
        edge=edge,
        refusals=tuple(refusals[-_MOST_REFUSED:]),
        words=tuple(masked_text(word[:300]) for word in log.once(words)[-_LAST_WORDS:]),
        proven=_proven(edge.config, sources) if edge.inside else (),
        retired=_retired(),
    )


def _of_others(seen: Sequence[Seen], key: Path) -> Iterator[Seen]:
    """Yield the connections that are no test calls of ours; all of them where the host has no ``key`` to know those by."""
    try:
        made_with = key.read_bytes()
    except OSError:
        yield from seen
        return
    yield from (one for one in seen if not one.ours(made_with))


def _proven(edge: EdgeConfig, sources: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(source for source in sources if facts.proven(edge, source))
    except Silent:
        return ()


def _retired() -> tuple[Retired, ...]:
    """Return the keys that were retired; none where their use is not recorded."""
    try:
        known = usage.read().values()
    except usage.Unreadable:
        return ()
    found = [Retired(key.name, key.retired) for key in known if key.retired is not None]
    return tuple(sorted(found, key=lambda key: -key.retired)[:_MOST_ASKED])
