"""Bounds on what each source may use of a worker: sockets, handshakes, places for calls.

A source is an address (`sources`). What it has not proven bounds it: a connection proves itself by a credential, or by
a ``start`` that media follow at a phone's pace, and with itself its source for `Limits.proven_s`. Real calls come from few
addresses, hundreds at once: only connections that have not proven to be calls are bounded, never calls.

Each connection holds a `Ticket`, from its acceptance to its end. A place that is needed is taken from the source that holds
most unproven ones, so that nobody alone keeps others out. All methods take constant time; nothing here waits or does I/O,
but for the log lines.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from exotel_ws.admission.bucket import Bucket
from exotel_ws.admission.crowd import Crowd
from exotel_ws.admission.sampler import Sampler
from exotel_ws.admission.sources import Source, Sources
from exotel_ws.logs import printable
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits

_PROOF_TICKS: Final = 2
"""Seconds with media at a phone's pace that prove a call."""
_PROOF_MESSAGES: Final = 5
"""Least media messages in such a second; a phone sends 50, or 10 with 100 ms in each message."""
_SOCKET_MAY_GO_S: Final = 1.0
"""Seconds without a start after which a connection may lose its place; Exotel's start follows within milliseconds."""
_SILENT_CALL_MAY_GO_S: Final = 0.5
"""Seconds without a frame after which a started call of an unproven source may lose its place to another source."""
_CALL_MAY_GO_S: Final = 4.0
"""Seconds after which a started call that is still unproven may lose its place: its media lack a phone's pace."""
_CLOSING_FILES: Final = 64
"""Sockets above the bound on files that may still be closing after their places went to others."""
_SAY_EVERY_S: Final = 10.0

RAISED_BY: Final = {
    "unproven_source": "limits.unproven_per_source",
    "unproven_total": "limits.unproven_total",
    "unproven_call": "limits.max_calls",
    "handshake_rate": "limits.handshakes_per_source_s",
    "barred": "limits.proxies",
    "files": "LimitNOFILE= of the unit",
    "no_media": "limits.media_timeout_s",
    "message_rate": "limits.messages_per_s",
    "byte_rate": "limits.bytes_per_s",
    "early_size": "limits.early_message_bytes",
    "malformed": "limits.max_faults",
    "restarts": "limits.max_faults",
    "ai_requests": "ai.limits.requests_per_minute",
    "ai_requests_call": "ai.limits.requests_per_call",
    "ai_context": "ai.limits.context_characters",
    "ai_speech": "ai.limits.speech_characters_per_minute",
    "ai_speech_call": "ai.limits.speech_characters_per_call",
    "ai_starts": "ai.limits.starts_per_minute",
    "ai_names": "ai.languages or ai.voices",
}
"""The setting that raises each bound."""

log = logging.getLogger("exotel_ws.server")


class Admission:
    """Accounts of all sources of one worker. ``most_files`` is the number of connections that the limit of open files allows."""

    def __init__(
        self,
        limits: Limits,
        tally: Tally,
        *,
        max_calls: int | None = None,
        calls_bound: str = "limits.max_calls",
        most_files: int = 1_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises `SettingsError` if `Limits.proxies` holds a text that is no address."""
        self.limits = limits
        self.clock = clock
        self._tally = tally
        self._max_calls = min(limits.max_calls, max_calls or limits.max_calls)
        self._calls_bound = calls_bound
        # Keep the reserve from using up a small limit.
        self._reserved = min(limits.reserved_connections, limits.max_connections // 10)
        self._most_files = most_files
        self._sources = Sources(limits.max_sources, limits.proxies)
        self._sampler = Sampler(_SAY_EVERY_S)
        self.tickets: set[Ticket] = set()
        self._closing: dict[Ticket, None] = {}
        """Connections that have lost their places and are still closing, oldest loss first: a WebSocket may take seconds."""
        self._waiting: Crowd[Source, Ticket] = Crowd()
        """Connections, WebSockets or not yet, without a start whose client has shown nothing."""
        self._opened: Crowd[Source, Ticket] = Crowd()
        """WebSockets without a start whose client has shown nothing."""
        self._calls = 0
        self._websockets = 0
        self._unproven_calls: Crowd[Source, Ticket] = Crowd()

    def accept(self, host: str, drop: Callable[[], None]) -> "Ticket | str":
        """Admit a socket from ``host``, or count and log the bound that keeps it out, and return its name.

        ``drop`` ends the connection when its place is needed; it may be replaced (`Ticket.drop`).
        """
        now = self.clock()
        source = self._sources.of(host, now)
        bound = self._keeps_out(source, now) or ("" if self._has_file(source, now) else "files")
        if bound:
            self.bite(bound, source)
            return bound
        ticket = Ticket(self, source, host, drop, now)
        source.held += 1
        self.tickets.add(ticket)
        if not source.proxy:
            self._waiting.add(source, ticket)
        return ticket

    def _keeps_out(self, source: Source, now: float) -> str:
        if source.proxy:
            return ""  # it holds no place for itself; whom it names is judged by `Ticket.move`
        limits, proven = self.limits, source.proven(now)
        if not proven and now < source.barred_until:
            return "barred"
        if not proven:
            rate = limits.handshakes_per_source_s
            if not source.bucket("handshakes", rate, limits.handshakes_burst, now).take(now):
                # This counts as no failure: a busy source has to slow down, not to stay away.
                return "handshake_rate"
            if self._waiting.count(source) >= limits.unproven_per_source:
                # Drop the oldest: it would have started by now if it were a call, and the newest may yet show a credential.
                self._evict(self._waiting.oldest(source), "unproven_source")
        if len(self._waiting) >= limits.unproven_total and not self._make_room(self._waiting, source, "unproven_total", now):
            return "unproven_total"
        return ""

    def is_proxy(self, host: str) -> bool:
        """Return True if the address is one of `Limits.proxies`."""
        return self._sources.is_proxy(host)

    def _has_file(self, newcomer: Source, now: float) -> bool:
        """Return True if a socket may be opened; near the limit, first abort one that has lost its place, to free its file."""
        files = len(self.tickets) - self._most_files
        if files < 0:
            return True
        if files >= _CLOSING_FILES:
            return False
        if not self._closing and not self._make_room(self._waiting, newcomer, "files", now):
            return False
        ticket = next(iter(self._closing), None)
        if ticket is not None:
            del self._closing[ticket]
            ticket.abort()
        return True

    def _make_room(self, crowd: "Crowd[Source, Ticket]", newcomer: Source, bound: str, now: float) -> bool:
        """Take a place from the source that holds most. Return False if all its places are too young to be taken."""
        largest = crowd.largest()
        if largest is None:
            return False
        oldest = crowd.oldest(largest)
        crowded = crowd.count(largest) > 2 * (crowd.count(newcomer) + 1)
        if not crowded and now - oldest.since < _SOCKET_MAY_GO_S:
            return False
        self._evict(oldest, bound)
        return True

    def _evict(self, ticket: "Ticket", bound: str) -> None:
        self.bite(bound, ticket.source)
        ticket.release()
        self._closing[ticket] = None
        ticket.drop()

    def bite(self, bound: str, source: Source | None = None, text: str = "") -> None:
        """Count a bound that bit, and log it: at most one line per bound and source in ten seconds, with the number left out."""
        self._tally.bounds[bound] += 1
        name = source.name if source else ""
        left_out = self._sampler.due((bound, name), self.clock())
        if left_out is None:
            return
        cure = f"; raised by {RAISED_BY[bound]}" if bound in RAISED_BY else ""
        more = f" ({left_out} more of this kind)" if left_out else ""
        fields = {"EVENT": "bound", "REASON": bound, "REMOTE": name, "LEFT_OUT": str(left_out)}
        fields |= {"RAISED_BY": RAISED_BY[bound]} if bound in RAISED_BY else {}
        said = printable(text) or "a connection was turned away or dropped"
        log.warning("🚧 Bound %s: %s, from %s%s%s", bound, said, name or "several", cure, more, extra={"fields": fields})

    def sweep(self) -> None:
        """Check the unproven calls; call this about once a second."""
        for ticket in self._unproven_calls:
            ticket.look()

    @property
    def calls(self) -> int:
        """Places taken by calls."""
        return self._calls

    def full(self) -> str:
        """Return why an unknown caller would be turned away now; empty if it would be let in."""
        now = self.clock()
        if self._calls >= self._max_calls and self._idle_call(now, None) is None:
            return f"{self._calls} live calls, {self._calls_bound} = {self._max_calls}"
        most = self._open_places(proven=False)
        if self._websockets >= most and not self._oldest_opened(now):
            return f"{self._websockets} connections, limits.max_connections = {self.limits.max_connections}"
        return ""

    def has_idle_call(self, ticket: "Ticket | None") -> bool:
        """Return True if an unproven call would lose its place to one of ``ticket``; None: to one of an unknown source."""
        return self._idle_call(self.clock(), ticket) is not None

    def places(self) -> dict[str, object]:
        """Return, for the admin socket, the counts and the source that holds most of each kind."""
        return {
            "sockets": len(self.tickets),
            "unproven_sockets": len(self._waiting),
            "unproven_calls": len(self._unproven_calls),
            "calls": self._calls,
            "sources": len(self._sources),
            "top": _top(self._waiting) | _top(self._unproven_calls, "call_"),
        }

    def most_held(self) -> int:
        """Return how many unproven connections and calls the source with most of them holds."""
        return max(_count(self._waiting), _count(self._unproven_calls))

    def _open_places(self, *, proven: bool) -> int:
        limits = self.limits
        return limits.max_connections if proven else limits.max_connections - self._reserved

    def _oldest_opened(self, now: float) -> "Ticket | None":
        largest = self._opened.largest()
        if largest is None:
            return None
        oldest = self._opened.oldest(largest)
        return oldest if now - oldest.since >= _SOCKET_MAY_GO_S else None

    def _idle_call(self, now: float, newcomer: "Ticket | None") -> "Ticket | None":
        """Return the unproven call that loses its place to ``newcomer``, if any; None: a newcomer of an unknown source."""
        largest = self._unproven_calls.largest()
        if largest is None:
            return None
        oldest = self._unproven_calls.oldest(largest)
        may_go_s = _CALL_MAY_GO_S
        if not largest.proven(now) and (newcomer is None or newcomer.source is not largest):
            if newcomer is not None and newcomer.trusted:
                return oldest
            may_go_s = _CALL_MAY_GO_S if oldest.frames() else _SILENT_CALL_MAY_GO_S
        return oldest if now - oldest.started_at >= may_go_s else None


class Ticket:
    """Account of one connection, from acceptance to end. ``drop`` ends the connection; each part that takes it over sets it."""

    __slots__ = (
        "_admission",
        "_good_seconds",
        "_seen",
        "abort",
        "call",
        "closed",
        "drop",
        "frames",
        "host",
        "may_know",
        "moved",
        "ours",
        "proven",
        "since",
        "source",
        "started_at",
        "websocket",
    )

    def __init__(self, admission: Admission, source: Source, host: str, drop: Callable[[], None], now: float) -> None:
        self._admission = admission
        self.source = source
        self.host = host
        """The client's address: the peer's, or the one that a proxy has named."""
        self.moved = False
        """True once a proxy has named the client."""
        self.may_know = False
        """True if this client may see metrics, readiness and the details of a refusal."""
        self.drop = drop
        self.abort = drop
        """Close the socket at once, after `drop`, because its file is needed."""
        self.since = now
        self.started_at = now
        self.proven = source.proxy
        """True if this connection has shown a credential or carried media, or comes from a named proxy."""
        self.websocket = self.call = self.closed = False
        self.ours = False
        """True for a test call of the operator."""
        self.frames: Callable[[], int] = int
        self._seen = self._good_seconds = 0

    @property
    def trusted(self) -> bool:
        """True if the connection or its source has proven itself."""
        return self.proven or self.source.proven(self._admission.clock())

    def move(self, host: str) -> str:
        """Make this the connection of ``host``, whom its peer, a proxy, has named. Call it before `open` and any judgement.

        Return an empty text, or the bound that keeps ``host`` out as it would at `Admission.accept`, counted and logged.
        """
        admission = self._admission
        now = admission.clock()
        source = admission._sources.of(host, now)
        self.source.held -= 1
        source.held += 1
        self.source, self.host, self.proven, self.moved = source, host, source.proxy, True
        bound = admission._keeps_out(source, now)
        if bound:
            admission.bite(bound, source)
        elif not source.proxy:
            admission._waiting.add(source, self)
        return bound

    def open(self) -> str:
        """Take a place for a WebSocket. Return an empty text, or why there is none (for the log, not for strangers)."""
        admission = self._admission
        now, trusted = admission.clock(), self.trusted
        if self.closed:
            return "its place was given to another"
        most = admission.limits.calls_per_source
        if most and not self.source.proxy and self.source.websockets >= most:
            return f"{self.source.websockets} connections of one source, limits.calls_per_source = {most}"
        if admission.calls >= admission._max_calls and admission._idle_call(now, self) is None:
            return f"{admission.calls} live calls, {admission._calls_bound} = {admission._max_calls}"
        most = admission._open_places(proven=trusted)
        if admission._websockets >= most:
            oldest = admission._oldest_opened(now)
            if oldest is None:
                return f"{admission._websockets} connections, limits.max_connections = {admission.limits.max_connections}"
            admission._evict(oldest, "unproven_total")
        admission._websockets += 1
        self.source.websockets += 1
        self.websocket = True
        if self in admission._waiting:
            admission._opened.add(self.source, self)
        return ""

    def start(self, frames: Callable[[], int]) -> str:
        """Take a place for a call. Return an empty text, or why there is none. ``frames`` returns the media messages so far."""
        admission = self._admission
        if self.closed:
            return "its place was given to another"
        if self.call:
            return ""
        now = admission.clock()
        self.frames = frames
        self.started_at = now
        if admission._calls >= admission._max_calls:
            idle = admission._idle_call(now, self)
            if idle is None:
                return f"{admission._calls_bound} = {admission._max_calls}"
            admission._evict(idle, "unproven_call")
        admission._calls += 1
        self.call = True
        admission._waiting.remove(self)
        admission._opened.remove(self)
        if not self.proven:
            admission._unproven_calls.add(self.source, self)
        return ""

    def look(self) -> None:
        """Mark the call as proven if its media came at a phone's pace; call this each second."""
        frames = self.frames()
        if frames - self._seen >= _PROOF_MESSAGES:
            self._good_seconds += 1
            if self._good_seconds >= _PROOF_TICKS:
                self.prove()
        self._seen = frames

    def prove(self) -> None:
        """Trust the connection, and its source for a while, after it has shown a credential or media."""
        admission = self._admission
        self.source.prove(admission.clock() + admission.limits.proven_s)
        self._trust()

    def vouch(self) -> None:
        """Trust this connection, a test call of the operator, but not its source."""
        self.ours = True
        self._trust()

    def _trust(self) -> None:
        admission = self._admission
        if not self.proven:
            self.proven = True
            admission._waiting.remove(self)
            admission._opened.remove(self)
            admission._unproven_calls.remove(self)

    def fail(self, weight: float = 1.0) -> None:
        """Count a failure against the source. Weights: wrong credential or flood 1, unfinished head 0.2."""
        self.source.fail(self._admission.clock(), weight)

    def share(self, name: str, rate: float, burst: float) -> Bucket | None:
        """Return a budget that all untrusted connections of the source share; None if this connection is trusted."""
        return None if self.trusted else self.source.bucket(name, rate, burst, self._admission.clock())

    def bite(self, bound: str, text: str = "") -> None:
        """Count and log a bound that bit on this connection, see `Admission.bite`."""
        self._admission.bite(bound, self.source, text)

    def stop(self) -> None:
        """Give back the place of a call that has ended."""
        if self.call:
            self.call = False
            self.frames = int  # the call may go
            self._admission._calls -= 1
            self._admission._unproven_calls.remove(self)

    def release(self) -> None:
        """Give back every place, before the socket has closed. Idempotent."""
        if self.closed:
            return
        self.stop()
        self.closed = True
        admission = self._admission
        if self.websocket:
            admission._websockets -= 1
            self.source.websockets -= 1
        admission._waiting.remove(self)
        admission._opened.remove(self)

    def close(self) -> None:
        """Give back every place and the file, once the socket is closed. Idempotent."""
        self.release()
        if self in self._admission.tickets:
            self._admission.tickets.discard(self)
            self._admission._closing.pop(self, None)
            self.source.held -= 1


def _count(crowd: Crowd[Source, Ticket]) -> int:
    largest = crowd.largest()
    return crowd.count(largest) if largest else 0


def _top(crowd: Crowd[Source, Ticket], prefix: str = "") -> dict[str, object]:
    largest = crowd.largest()
    return {f"{prefix}source": largest.name, f"{prefix}count": crowd.count(largest)} if largest else {}
