"""What the caller hears, at the pace in which it is heard: sizes, lead, marks, and the one `clear`.

Facts of the wire (docs/protocol.md): a message holds a multiple of 320 bytes, 3,200 at least; Exotel plays in real time what it
has buffered; `clear` drops what has not begun to play; a mark comes back when all before it was played, late, or never.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from exotel_ws.protocol import Writer

FRAME: Final = 320
"""Bytes; Exotel waits for more where a message is no multiple of it."""
CHUNKS: Final = {8000: 3200, 16000: 3200, 24000: 3840}
"""Bytes a message by sample rate in Hz: 200, 100 and 80 ms."""
LEAD_S: Final = 0.6
"""How much more than what has been played may be under way: enough for the network's mood, little enough for a clear."""
MARK_GRACE_S: Final = 2.5
"""How long after its time a mark is waited for."""


class Clock(Protocol):
    """Of an event loop: time in seconds, and a call at a time."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> "Timer": ...


class Timer(Protocol):
    def cancel(self) -> None: ...


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
        self._queue: deque[bytes | _Note] = deque()
        self._waiting = bytearray()
        self._under_way: deque[tuple[float, bytes | _Note]] = deque()
        self._notes: dict[str, _Note] = {}
        self._held: deque[bytes | _Note] | None = None
        self._ends_at = 0.0
        self._timer: Timer | None = None
        self._count = 0
        self._marks_come = True
        self.sent_bytes = 0
        self.cleared = 0
        self.on_sent: Callable[[float, bytes], None] = lambda _at, _pcm: None
        """Told of each piece that is sent: when it will begin to be heard (the clock's seconds), and its PCM."""

    @property
    def outstanding(self) -> bool:
        """Whether the caller has not heard all of it yet, as far as is known."""
        return bool(self._queue or self._waiting or self._held) or self._clock.time() < self._ends_at

    @property
    def held(self) -> bool:
        """Whether it was paused and neither resumed nor dropped."""
        return self._held is not None

    def say(self, pcm: bytes) -> None:
        """Take more audio, PCM16 little-endian at the stream's rate, any length."""
        self._waiting += pcm
        whole = len(self._waiting) - len(self._waiting) % self._chunk
        for at in range(0, whole, self._chunk):
            self._queue.append(bytes(self._waiting[at : at + self._chunk]))
        del self._waiting[:whole]
        self._go_on()

    def note(self, tell: Heard) -> None:
        """Be told when all that was taken so far is heard, or was dropped. Ends a message: what is short is filled with silence."""
        self._fill()
        self._queue.append(_Note(tell))
        self._go_on()

    def mark(self, name: str) -> None:
        """A mark has come back. One that is not known, or whose audio was cleared, is passed over."""
        note = self._notes.pop(name, None)
        if note is None:
            return
        self._marks_come = True
        while self._under_way:
            _, item = self._under_way.popleft()
            if isinstance(item, _Note):
                self._told(item, heard=True)
            if item is note:
                break

    def pause(self) -> bool:
        """The caller speaks: stop at once, and keep what was not heard. Returns whether there was anything to stop."""
        if self._held is not None or not self.outstanding:
            return False
        now = self._clock.time()
        kept: deque[bytes | _Note] = deque()
        for begins, item in self._under_way:
            if isinstance(item, _Note):
                kept.append(item)
                self._notes.pop(item.name, None)
                if item.timer:
                    item.timer.cancel()
            elif begins + len(item) / self._bytes_per_s > now:
                unheard = len(item) - max(0, int((now - begins) * self._bytes_per_s))
                kept.append(item[len(item) - (unheard + 1) // 2 * 2 :])
        self._under_way.clear()
        if now < self._ends_at:
            self.cleared += 1
            self._send((self._writer.clear(),), 0)
        self._ends_at = now
        self._held = kept + self._queue
        self._queue = deque()
        self._stop_timer()
        return True

    def resume(self) -> None:
        """It was nothing: go on where the caller stopped hearing."""
        if self._held is None:
            return
        held, self._held = self._held, None
        later, self._queue = self._queue, deque()
        short, self._waiting = self._waiting, bytearray()
        for item in (*held, *later):
            if isinstance(item, _Note):
                self._fill()
                self._queue.append(item)
            else:
                self.say(item)
        self.say(bytes(short))

    def drop(self) -> None:
        """Forget what was not heard; each note is told so. Sends `clear` where audio is under way."""
        self.pause()
        gone = [*(self._held or ()), *self._queue]
        self._held = None
        self._queue.clear()
        self._waiting.clear()
        for item in gone:
            if isinstance(item, _Note):
                item.tell(False)

    def close(self) -> None:
        """The stream is over: nothing is sent any more, every note is told."""
        self._send = lambda _messages, _audio_bytes: None
        self.drop()
        for note in list(self._notes.values()):
            self._told(note, heard=True)
        self._under_way.clear()

    def _fill(self) -> None:
        """Bring what waits to a whole message: never less than 3,200 bytes, always a multiple of 320."""
        if not self._waiting:
            return
        size = max(3200, -(-len(self._waiting) // FRAME) * FRAME)
        self._queue.append(bytes(self._waiting).ljust(size, b"\0"))
        self._waiting.clear()

    def _go_on(self) -> None:
        """Send what is due, and come back when the next is."""
        if self._held is not None or self._timer is not None:
            return
        now = self._clock.time()
        while self._queue:
            if not isinstance(self._queue[0], _Note) and self._ends_at - now > LEAD_S:
                self._timer = self._clock.call_at(self._ends_at - LEAD_S, self._due)
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
        while self._under_way and not isinstance(self._under_way[0][1], _Note) and self._under_way[0][0] < now - 60:
            self._under_way.popleft()
        self._under_way.append((begins, pcm))
        self._ends_at = begins + len(pcm) / self._bytes_per_s
        self.sent_bytes += len(pcm)
        self._send(self._writer.audio(pcm), len(pcm))
        self.on_sent(begins, pcm)

    def _send_note(self, note: _Note, now: float) -> None:
        self._count += 1
        note.name = f"heard-{self._count}"
        note.due = max(now, self._ends_at)
        self._under_way.append((note.due, note))
        self._notes[note.name] = note
        self._send((self._writer.mark(note.name),), 0)
        grace_s = MARK_GRACE_S if self._marks_come else 0.0
        note.timer = self._clock.call_at(note.due + grace_s, self._overdue, note)

    def _overdue(self, note: _Note) -> None:
        """Its mark never came: by the clock it was heard long ago. From now on the clock is believed."""
        if note.name in self._notes:
            self.mark(note.name)
            self._marks_come = False

    def _told(self, note: _Note, *, heard: bool) -> None:
        self._notes.pop(note.name, None)
        if note.timer:
            note.timer.cancel()
        note.tell(heard)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
