"""Count what the calls of a load saw, in constant memory; the tallies of several processes and moments add up."""

import dataclasses
from collections import Counter

from exotel_phone.load.histogram import Histogram

NOTES_KEPT = 10
KINDS_KEPT = 16
"""Messages of a kind that the tally does not know yet count as ``other`` from then on: a server may invent any number."""


@dataclasses.dataclass(slots=True)
class Messages:
    """Messages of one kind. ``unexpected`` came unasked for, changed, or in a form that Exotel cannot use."""

    sent: int = 0
    echoed: int = 0
    lost: int = 0
    unexpected: int = 0

    def merge(self, other: "Messages") -> None:
        """Add ``other``."""
        self.sent += other.sent
        self.echoed += other.echoed
        self.lost += other.lost
        self.unexpected += other.unexpected


@dataclasses.dataclass(slots=True)
class Tally:
    """Counts since the load began, or since the last tally was taken. Times in ms.

    ``refused`` calls never had a WebSocket, by reason (``HTTP 503``, ``refused``, ``timeout``); ``dropped`` ones lost it, by
    the way it was closed; ``faulty`` ones were kept up but lost frames or got something unexpected; the rest were ``perfect``.
    ``late`` is how far this machine was behind the pace when it sent a frame.
    """

    placed: int = 0
    perfect: int = 0
    faulty: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter)
    dropped: Counter[str] = dataclasses.field(default_factory=Counter)
    messages: dict[str, Messages] = dataclasses.field(default_factory=dict)
    round_trip: Histogram = dataclasses.field(default_factory=Histogram)
    connect: Histogram = dataclasses.field(default_factory=Histogram)
    late: Histogram = dataclasses.field(default_factory=Histogram)
    notes: list[str] = dataclasses.field(default_factory=list)

    def of(self, kind: str) -> Messages:
        """Return the counts of one kind of message."""
        if kind not in self.messages and len(self.messages) >= KINDS_KEPT:
            kind = "other"
        return self.messages.setdefault(kind, Messages())

    def note(self, text: str) -> None:
        """Keep the first few different things that went wrong, in words."""
        if len(self.notes) < NOTES_KEPT and text not in self.notes:
            self.notes.append(text)

    def merge(self, other: "Tally") -> None:
        """Add ``other``."""
        self.placed += other.placed
        self.perfect += other.perfect
        self.faulty += other.faulty
        self.refused.update(other.refused)
        self.dropped.update(other.dropped)
        for kind, messages in other.messages.items():
            self.of(kind).merge(messages)
        self.round_trip.merge(other.round_trip)
        self.connect.merge(other.connect)
        self.late.merge(other.late)
        for text in other.notes:
            self.note(text)

    @property
    def lost(self) -> int:
        """Return how many messages never came back."""
        return sum(messages.lost for messages in self.messages.values())

    @property
    def unexpected(self) -> int:
        """Return how many messages should not have come."""
        return sum(messages.unexpected for messages in self.messages.values())
