"""Send the bot's audio at the pace at which it is heard: message sizes, lead, marks, and one `clear` for an interruption.

Facts of the wire (docs/protocol.md): a message holds a multiple of 320 bytes, 3,200 at least; Exotel plays in real time what it
has buffered; `clear` drops what has not begun to play; a mark comes back when all before it was played, late, or never.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Clock, Timer
from exotel_ws.encodings import Encoding
from exotel_ws.protocol import Writer

FRAME: Final = 320
"""Bytes; Exotel waits for more if a message is not a multiple of this."""
SHORTEST: Final = 3200
"""Bytes of the smallest message."""
CHUNKS: Final = {8000: 3200, 16000: 3200, 24000: 3840}
"""Bytes in a message, by sample rate in Hz: 200, 100 and 80 ms of PCM16. The rules are told in bytes, so µ-law and A-law have
the same sizes, of twice the time."""
LEAD_S: Final = 0.6
"""Seconds of audio sent ahead of real time: enough for a network's jitter, little enough for a `clear` to take effect."""
MOST_LEAD_S: Final = 2.0
"""The same on a loop that is late, where nothing may be sent for a while. Levels of what is played are kept for little longer."""
_FOR_LATE: Final = 4.0
"""Seconds of lead for each by which the loop was late; from one message to the next, `_REMEMBERED` of that still counts."""
_REMEMBERED: Final = 0.9
_PUNCTUAL_S: Final = 0.02
"""Seconds by which a loop with calls to do is always late now and then."""
MARK_GRACE_S: Final = 2.5
"""Seconds to wait for a mark after its audio should have been played."""
CLOCK_GRACE_S: Final = 0.2
"""Seconds added to the clock's time for the network's delay, while marks do not come."""
EARLY_S: Final = 0.001
"""Seconds by which a loop's timer may go off early: some count in milliseconds. To wait for the rest again would be to spin."""
STALL_S: Final = 0.5
"""Seconds for which a piece that is too short for a message waits for more; then it is padded with silence and sent."""
_NAME: Final = "heard-"


Send = Callable[[tuple[str, ...], int], None]
"""Send messages; the number is how many bytes of audio they carry."""
Heard = Callable[[bool], None]
"""Called once for a `Playout.note`: with True if all audio before it was heard, with False if some was dropped."""


class _Note:
    """A point in the audio, and the callback for the moment when it is heard."""

    __slots__ = ("due", "name", "tell", "timer")

    def __init__(self, tell: Heard) -> None:
        self.tell = tell
        self.name = ""
        self.due = 0.0
        self.timer: Timer | None = None


class Playout:
    """Play the bot's side of one stream. Not thread-safe: make all calls from the loop of ``clock``.

    Guarantees: audio leaves in order, in messages of the documented size, never more than `LEAD_S` and one message ahead of
    real time (and `EARLY_S`), on a loop that is late `MOST_LEAD_S`; `clear` is sent only while audio is outstanding, once for
    each interruption; each note is called exactly once.
    """

    def __init__(self, writer: Writer, send: Send, clock: Clock, *, sample_rate: int) -> None:
        """Send messages for Exotel with ``send``. ``sample_rate`` is the stream's in Hz, a key of `CHUNKS`."""
        self._writer = writer
        self._send = send
        self._clock = clock
        self._chunk_bytes = CHUNKS[sample_rate]
        self._bytes_per_s = sample_rate * 2
        self._waiting = bytearray()
        """Audio that is too short for a message. `_pinned` are the notes in it, `_stall` is the timer that ends its wait."""
        self._pinned: list[_Note] = []
        self._stall: Timer | None = None
        self._queue: deque[bytes | _Note] = deque()
        self._timer: Timer | None = None
        self._due_at = self._late_s = 0.0
        """Time for which that timer is set, and seconds by which such a one was late lately."""
        self._under_way: deque[tuple[float, bytes | _Note]] = deque()
        self._notes: dict[str, _Note] = {}
        self._held: deque[bytes | _Note] | None = None
        self._ends_at = 0.0
        self._marks_come = True
        self._closed = False
        self._count = 0
        self.on_sent: Callable[[float, bytes], None] = lambda _at, _pcm: None
        """Called with each piece that is sent: the clock's time in seconds at which it will begin to be heard, and its PCM."""
        self.on_cleared: Callable[[float], None] = lambda _at: None
        """Called with the time from which audio that was sent will not be heard."""

    @property
    def outstanding(self) -> bool:
        """Return True while the caller has not heard all audio, as far as is known."""
        return bool(self._queue or self._waiting or self._held) or self._sounding

    @property
    def heard_until(self) -> float:
        """Return the clock's time at which all audio taken so far has been heard, or will be if nothing stops it."""
        waiting = len(self._waiting) + sum(len(item) for item in self._queue if isinstance(item, bytes))
        return max(self._clock.time(), self._ends_at) + waiting / self._bytes_per_s if waiting else self._ends_at

    @property
    def held(self) -> bool:
        """Return True between a pause and the resume or drop that follows it."""
        return self._held is not None

    def say(self, pcm: bytes) -> None:
        """Take more audio, PCM16 little-endian at the stream's rate, any length."""
        if self._closed or not pcm:
            return
        self._waiting += pcm
        chunk = self._pcm_in(self._chunk_bytes)
        whole = len(self._waiting) - len(self._waiting) % chunk
        for at in range(0, whole, chunk):
            self._queue.append(bytes(self._waiting[at : at + chunk]))
            self._unpin()
        del self._waiting[:whole]
        self._watch_for_stall()
        self._go_on()

    def note(self, tell: Heard) -> None:
        """Call ``tell`` when all audio taken so far was heard or dropped; within a message, when the message is."""
        if self._closed:
            tell(False)
            return
        (self._pinned if self._waiting else self._queue).append(_Note(tell))
        self._go_on()

    def flush(self) -> None:
        """End an utterance: pad what is too short for a message with silence, so that nothing is lost."""
        if self._waiting:
            frame = self._pcm_in(FRAME)
            size = max(self._pcm_in(SHORTEST), -(-len(self._waiting) // frame) * frame)
            self._queue.append(bytes(self._waiting).ljust(size, b"\0"))
            self._waiting.clear()
            self._watch_for_stall()
        self._unpin()
        self._go_on()

    def mark(self, name: str) -> None:
        """Take a mark that has come back. Ignore one that is unknown, or whose audio was cleared."""
        if name.startswith(_NAME):
            self._marks_come = True
        note = self._notes.get(name)
        if note is not None:
            self._heard_to(note)

    def pause(self) -> bool:
        """Stop at once, because the caller speaks, and keep the unheard audio. Return False if there was nothing to stop.

        The position is taken from the clock, and is exact to one message of Exotel's. The network's delay cancels out: audio is
        heard for as long as the `clear` travels, and began to be heard as much later.
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
                self._send((self._writer.clear(),), 0)
        for note in heard:
            note.tell(True)
        return stopped

    def resume(self) -> None:
        """Continue where the caller stopped hearing."""
        if self._held is None:
            return
        self._take_again([*self._held, *self._queue])
        self._held = None
        self._go_on()

    def encode(self, encoding: Encoding) -> None:
        """Send audio in another encoding from the next message on."""
        self._writer.encoding = encoding
        if self._held is None:
            self._take_again([*self._queue])
            self._go_on()

    def _take_again(self, items: list[bytes | _Note]) -> None:
        """Take audio and notes that were taken before, in place of the queue, before what is too short for a message."""
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

    def drop(self) -> None:
        """Drop unheard audio, and call each of its notes with False. Send `clear` if audio is under way."""
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
        """End with the stream: send nothing more, and call every note."""
        if not self._closed:
            self._closed = True
            self.drop()

    @property
    def _sounding(self) -> bool:
        """Return True while the caller hears something that was sent, by the clock or until its mark is back."""
        return bool(self._under_way) and self._clock.time() < self._ends_at

    def _pcm_in(self, size: int) -> int:
        """Return the bytes of PCM16 in ``size`` bytes of audio as it is sent."""
        return size * 2 // self._writer.encoding.sample_bytes

    def _unpin(self) -> None:
        self._queue += self._pinned
        self._pinned.clear()

    def _watch_for_stall(self) -> None:
        """Set the timer that sends the last words of a service which stops in mid-sentence."""
        self._cancel(self._stall)
        self._stall = self._clock.call_at(self._clock.time() + STALL_S, self._stalled) if self._waiting else None

    def _stalled(self) -> None:
        self._stall = None
        self.flush()

    def _go_on(self, early_s: float = 0.0) -> None:
        """Send messages that are due in ``early_s`` seconds, and set a timer for the next one."""
        while self._held is None and self._timer is None and self._queue:
            now = self._clock.time()
            due = self._ends_at - min(MOST_LEAD_S, LEAD_S + _FOR_LATE * self._late_s)
            if not isinstance(self._queue[0], _Note) and now + early_s < due:
                self._due_at = due
                self._timer = self._clock.call_at(due, self._due)
                return
            item = self._queue.popleft()
            if isinstance(item, _Note):
                self._send_note(item, now)
            else:
                self._send_audio(item, now)

    def _due(self) -> None:
        self._timer = None
        late_s = self._clock.time() - self._due_at
        self._late_s = max(late_s if late_s > _PUNCTUAL_S else 0.0, self._late_s * _REMEMBERED)
        self._go_on(EARLY_S)

    def _send_audio(self, pcm: bytes, now: float) -> None:
        begins = max(now, self._ends_at)
        self._forget_heard(now)
        self._under_way.append((begins, pcm))
        self._ends_at = begins + len(pcm) / self._bytes_per_s
        self._send(self._writer.audio(pcm), len(pcm) * self._writer.encoding.sample_bytes // 2)
        self.on_sent(begins, pcm)

    def _forget_heard(self, now: float) -> None:
        """Forget audio that was heard so long ago that no pause needs it."""
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
        """Take a note without a mark as heard, by the clock. Trust the clock from now on, until a mark comes."""
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
        """Empty what is under way. Return what is after ``position`` (seconds of the clock); add notes before it to ``heard``."""
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
