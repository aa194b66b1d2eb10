"""Interfaces between a call and the mode that answers it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from exotel_ws.admission.bucket import Bucket
from exotel_ws.logs import CallLog
from exotel_ws.passthru.outcomes import Applet
from exotel_ws.protocol import Dtmf, Mark, Media, Start, Writer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class HangUp(Exception):
    """Reason for this server to close the connection: a WebSocket close code and a text of at most 123 bytes.

    ``bound`` is the bound of `exotel_ws.metrics.tally.BOUNDS` that bit, empty if it was none.
    """

    def __init__(self, code: int, reason: str, bound: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.bound = bound


class Responder(Protocol):
    """Answers the messages of one stream. It is never called after ``stopped``, which comes once, however the stream ends."""

    def media(self, media: Media) -> tuple[str, ...]:
        """Return messages to send for a piece of audio."""

    def mark(self, mark: Mark) -> tuple[str, ...]:
        """Return messages to send for a mark."""

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        """Return messages to send for a key press."""

    def facts(self) -> dict[str, object]:
        """Return facts of the live call for an operator, beside those of every call."""

    def stopped(self) -> None:
        """Release everything: the stream is over, and nothing can be sent any more."""


class Line(Protocol):
    """The actions that a responder may take on its call at any time, not only in answer to a message."""

    @property
    def log(self) -> CallLog: ...
    @property
    def path(self) -> str:
        """Return the path of the stream's URL; it may hold a credential."""

    @property
    def hung_up(self) -> HangUp | None:
        """Return the reason for which this server closes, or closed, the stream; None if it does not."""

    def send(self, messages: tuple[str, ...], audio_bytes: int = 0) -> None:
        """Send ``messages``, which hold ``audio_bytes`` of audio, now. Does nothing after the end of the stream."""

    def bite(self, bound: str, text: str) -> None:
        """Count, and log sampled, that one of `metrics.tally.BOUNDS` bit on this call; ``text`` says what was not done."""

    def fault(self, kind: str, text: str) -> None:
        """Count a fault of the client, one of `metrics.tally.FAULT_KINDS`; log the first of its kind in a stream."""

    def share(self, name: str, rate: float, burst: float) -> Bucket | None:
        """Return a budget that all untrusted connections of the caller's source share; None if this connection is trusted.

        ``name`` tells budgets apart; ``rate`` is a second, ``burst`` at once.
        """

    def next_applet(self, applet: Applet) -> None:
        """Say what follows in Exotel's call flow when the stream ends from now on; the last word counts."""

    def hang_up(self, hang_up: HangUp) -> None:
        """Close the stream from our side: with code 1000 Exotel's call flow goes on with the next applet."""


class Bound(NamedTuple):
    """Most of something, and the name of what says so: a setting, or one of `exotel_ws.metrics.tally.BOUNDS`."""

    most: int
    name: str


class Mode(Protocol):
    """Answers the calls of one worker, with everything in which modes differ. `exotel_ws.modespec.ModeSpec` makes it."""

    @property
    def private(self) -> bool:
        """True if people tell a bot things: then the journal shows neither whole numbers nor the keys that are pressed."""

    @property
    def needs_start(self) -> bool:
        """True if media before ``start`` wait for it, as it says who calls and in what language; else they begin the stream."""

    @property
    def most_calls(self) -> Bound | None:
        """Most calls of the worker, with the name of the setting; None: only ``limits.max_calls`` bounds them."""

    @property
    def most_restarts(self) -> Bound | None:
        """Most restarts of a stream on one connection a minute, with the name of the bound; None: ``limits.max_faults``."""

    def metrics(self, registry: "CollectorRegistry") -> Callable[[], None] | None:
        """Register the mode's own metrics; return what brings their published values up to date. None: there are none."""

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Responder:
        """Return the responder of a stream that has just started; ``sample_rate`` in Hz is the stream's.

        Raises `HangUp` if the mode can't answer such a stream.
        """

    def full(self) -> str:
        """Return why no further call can be taken now; empty if one can."""

    async def open(self) -> None:
        """Get ready for calls, before the worker reports that it is. Raises `SettingsError` if that is impossible."""

    async def close(self) -> None:
        """Release everything, when the worker ends."""
