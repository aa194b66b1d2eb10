"""What the caller hears, at the pace in which it is heard: sizes, lead, marks, and the one `clear`.

Facts of the wire (docs/protocol.md): a message holds a multiple of 320 bytes, 3,200 at least; Exotel plays in real time what it
has buffered; `clear` drops what has not begun to play; a mark comes back when all before it was played, late, or never.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Clock, Timer
from exotel_ws.protocol import Writer

FRAME: Final = 320
"""Bytes; Exotel waits for more where a message is no multiple of it."""
SHORTEST: Final = 3200
"""Bytes of the smallest message."""
CHUNKS: Final = {8000: 3200, 16000: 3200, 24000: 3840}
"""Bytes a message by sample rate in Hz: 200, 100 and 80 ms."""
LEAD_S: Final = 0.6
"""How much more than what has been played may be under way: enough for the network's mood, little enough for a clear."""
MARK_GRACE_S: Final = 2.5
"""How long after its time a mark is waited for."""
CLOCK_GRACE_S: Final = 0.2
"""Where marks do not come: what the network may add to the clock's time."""
STALL_S: Final = 0.5
"""How long a piece that is too short for a message waits for more; then it is filled with silence and sent."""
_NAME: Final = "heard-"


Send = Callable[[tuple[str, ...], int], None]
"""Sends messages in which there are so many bytes of audio."""
Heard = Callable[[bool], None]
"""Told once of a `Playout.note`: True where all before it was heard, False where it was dropped."""


class _Note:
    """A point in the audio, and whom to tell when it is heard."""

    __slots__ = ("due", "name", "tell", "timer")

    def __init__(self, tell: Heard) -> None:
        self.tell = tell
        self.name = ""
        self.due = 0.0
        self.timer: Timer | None = None


class Playout:
    """The bot's side of one stream. Not thread-safe; all calls from the loop of ``clock``.

    Guarantees: audio leaves in order, in messages of the documented size, never more than `LEAD_S` and one message ahead of
    what is played; `clear` is sent only while audio is outstanding, once for each interruption; each note is told exactly once.
    """

    def __init__(self, writer: Writer, send: Send, clock: Clock, *, sample_rate: int) -> None:
        """``sample_rate`` in Hz, one of the three. ``send`` takes messages for Exotel."""
        self._writer = writer
        self._send = send
        self._clock = clock
        self._chunk = CHUNKS[sample_rate]
        self._bytes_per_s = sample_rate * 2
        self._waiting = bytearray()
        """Too little for a message; `_pinned` are the notes in it, `_stall` ends its wait."""
        self._pinned: list[_Note] = []
        self._stall: Timer | None = None
        self._queue: deque[bytes | _Note] = deque()
        self._timer: Timer | None = None
        self._under_way: deque[tuple[float, bytes | _Note]] = deque()
        self._notes: dict[str, _Note] = {}
        self._held: deque[bytes | _Note] | None = None
        self._ends_at = 0.0
        self._marks_come = True
        self._closed = False
        self._count = 0
        self.cleared = 0
        self.on_sent: Callable[[float, bytes], None] = lambda _at, _pcm: None
        """Told of each piece that is sent: when it will begin to be heard (the clock's seconds), and its PCM."""
        self.on_cleared: Callable[[float], None] = lambda _at: None
        """Told when what was sent will not be heard from then on."""

    @property
    def outstanding(self) -> bool:
        """Whether the caller has not heard all of it yet, as far as is known."""
        return bool(self._queue or self._waiting or self._held) or self._sounding

    @property
    def heard_until(self) -> float:
        """The clock's time at which all that was taken was heard, or will have been if nothing stops it."""
        waiting = len(self._waiting) + sum(len(item) for item in self._queue if isinstance(item, bytes))
        return max(self._clock.time(), self._ends_at) + waiting / self._bytes_per_s if waiting else self._ends_at

    @property
    def held(self) -> bool:
        """Whether it was paused and neither resumed nor dropped."""
        return self._held is not None

    def say(self, pcm: bytes) -> None:
        """Take more audio, PCM16 little-endian at the stream's rate, any length."""
        if self._closed or not pcm:
            return
        self._waiting += pcm
        whole = len(self._waiting) - len(self._waiting) % self._chunk
        for at in range(0, whole, self._chunk):
            self._queue.append(bytes(self._waiting[at : at + self._chunk]))
            self._unpin()
        del self._waiting[:whole]
        self._watch_for_stall()
        self._go_on()

    def note(self, tell: Heard) -> None:
        """Be told when all that was taken so far is heard, or was dropped. In the middle of a message: with its end."""
        if self._closed:
            tell(False)
            return
        (self._pinned if self._waiting else self._queue).append(_Note(tell))
        self._go_on()

    def flush(self) -> None:
        """An utterance ends: what is too short for a message is filled with silence, never lost."""
        if self._waiting:
            size = max(SHORTEST, -(-len(self._waiting) // FRAME) * FRAME)
            self._queue.append(bytes(self._waiting).ljust(size, b"\0"))
            self._waiting.clear()
            self._watch_for_stall()
        self._unpin()
        self._go_on()

    def mark(self, name: str) -> None:
        """A mark has come back. One that is not known, or whose audio was cleared, is passed over."""
        if name.startswith(_NAME):
            self._marks_come = True
        note = self._notes.get(name)
        if note is not None:
            self._heard_to(note)

    def pause(self) -> bool:
        """The caller speaks: stop at once, and keep what was not heard. Returns whether there was anything to stop.

        Where that is, is told by the clock: true to one message of Exotel's. The network's delay does not count: what is heard
        while a `clear` travels, was heard as much later.
        """
        if self._held is not None:
            return False
        stopped, sounding = self.outstanding, self._sounding
        now = self._clock.time()
        heard: list[_Note] = []
        self._held = self._unheard(now, heard)
        self._ends_at = now
        self._held += self._queue
        self._queue.clear()
        self._cancel(self._timer)
        self._timer = None
        if sounding:
            self.on_cleared(now)
            if not self._closed:
                self.cleared += 1
                self._send((self._writer.clear(),), 0)
        for note in heard:
            note.tell(True)
        return stopped

    def resume(self) -> None:
        """It was nothing: go on where the caller stopped hearing."""
        if self._held is None:
            return
        items = [*self._held, *self._queue]
        short, pinned = bytes(self._waiting), self._pinned
        self._queue.clear()
        self._waiting.clear()
        self._pinned = []
        for item in items:
            if isinstance(item, _Note):
                (self._pinned if self._waiting else self._queue).append(item)
            else:
                self.say(item)
        self.say(short)
        self._pinned += pinned
        if not (short and self._waiting):
            self.flush()
        self._held = None
        self._go_on()

    def drop(self) -> None:
        """Forget what was not heard; each note is told so. Sends `clear` where audio is under way."""
        self.pause()
        gone = [item for item in (*(self._held or ()), *self._queue, *self._pinned) if isinstance(item, _Note)]
        self._held = None
        self._queue.clear()
        self._waiting.clear()
        self._pinned = []
        self._watch_for_stall()
        for note in gone:
            note.tell(False)

    def close(self) -> None:
        """The stream is over: nothing is sent any more, and every note is told."""
        if not self._closed:
            self._closed = True
            self.drop()

    @property
    def _sounding(self) -> bool:
        """Whether the caller still hears something that was sent: by the clock, but for what a mark has told of."""
        return bool(self._under_way) and self._clock.time() < self._ends_at

    def _unpin(self) -> None:
        self._queue += self._pinned
        self._pinned.clear()

    def _watch_for_stall(self) -> None:
        """A service that stops in mid-sentence takes no word with it."""
        self._cancel(self._stall)
        self._stall = self._clock.call_at(self._clock.time() + STALL_S, self._stalled) if self._waiting else None

    def _stalled(self) -> None:
        self._stall = None
        self.flush()

    def _go_on(self) -> None:
        """Send what is due, and come back when the next is."""
        while self._held is None and self._timer is None and self._queue:
            now = self._clock.time()
            due = self._ends_at - LEAD_S
            if not isinstance(self._queue[0], _Note) and now < due:
                self._timer = self._clock.call_at(due, self._due)
                return
            item = self._queue.popleft()
            if isinstance(item, _Note):
                self._send_note(item, now)
            else:
                self._send_audio(item, now)

    def _due(self) -> None:
        self._timer = None
        self._go_on()

    def _send_audio(self, pcm: bytes, now: float) -> None:
        begins = max(now, self._ends_at)
        self._forget_heard(now)
        self._under_way.append((begins, pcm))
        self._ends_at = begins + len(pcm) / self._bytes_per_s
        self._send(self._writer.audio(pcm), len(pcm))
        self.on_sent(begins, pcm)

    def _forget_heard(self, now: float) -> None:
        """Audio that nobody waits for is let go of once no pause can want it back."""
        while self._under_way:
            begins, item = self._under_way[0]
            if isinstance(item, _Note) or begins + len(item) / self._bytes_per_s > now - LEAD_S:
                return
            self._under_way.popleft()

    def _send_note(self, note: _Note, now: float) -> None:
        self._count += 1
        note.name = f"{_NAME}{self._count}"
        note.due = max(now, self._ends_at)
        self._under_way.append((note.due, note))
        self._notes[note.name] = note
        grace_s = MARK_GRACE_S if self._marks_come else CLOCK_GRACE_S
        note.timer = self._clock.call_at(note.due + grace_s, self._overdue, note)
        self._send((self._writer.mark(note.name),), 0)

    def _overdue(self, note: _Note) -> None:
        """Its mark never came: by the clock it was heard long ago. From now on the clock is believed, until a mark comes."""
        self._marks_come = False
        self._heard_to(note)

    def _heard_to(self, note: _Note) -> None:
        heard = []
        while self._under_way:
            _, item = self._under_way.popleft()
            if isinstance(item, _Note):
                self._let_go(item)
                heard.append(item)
                if item is note:
                    break
        for item in heard:
            item.tell(True)

    def _unheard(self, position: float, heard: list[_Note]) -> deque[bytes | _Note]:
        """Empty what is under way: returns what comes after ``position`` (the clock's seconds), notes before go to ``heard``."""
        kept: deque[bytes | _Note] = deque()
        for begins, item in self._under_way:
            if isinstance(item, _Note):
                self._let_go(item)
                if begins <= position:
                    heard.append(item)
                else:
                    kept.append(item)
            elif begins + len(item) / self._bytes_per_s > position:
                kept.append(item[max(0, int((position - begins) * self._bytes_per_s)) // 2 * 2 :])
        self._under_way.clear()
        return kept

    def _let_go(self, note: _Note) -> None:
        self._notes.pop(note.name, None)
        self._cancel(note.timer)
        note.timer = None

    @staticmethod
    def _cancel(timer: Timer | None) -> None:
        if timer is not None:
            timer.cancel()
