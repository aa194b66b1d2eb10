"""Record a call: stereo WAV, the caller left, what the caller heard of the bot right, both on the time line of one clock.

The file is written as the call goes on. Its header is updated after every block: whenever the process dies, the file is a valid
recording up to that point.
"""

import contextlib
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from exotel_ws.ai.records.shelf import Shelf

_HOLD_S: Final = 1.0
"""Seconds by which writing is behind the clock: until then, audio of the bot may be cleared, and the caller's may come late."""
_BLOCK_S: Final = 1.0
_SLIP_S: Final = 0.3
"""Seconds by which the caller's audio may be off the clock before it is moved: the jitter of a network that loses nothing."""
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Recording:
    """Take audio as it comes. Memory is bounded by some seconds of audio; a fault ends the recording, not the call.

    If the caller's audio comes late, the gap is filled with silence, and what is not written yet of it with the late audio.
    Audio that comes faster than real time is left out.
    """

    def __init__(
        self,
        shelf: Shelf,
        name: str,
        *,
        sample_rate: int,
        most_bytes: int,
        clock: Callable[[], float],
        on_fault: Callable[[str], None],
    ) -> None:
        """Begin the time line now, by ``clock`` (seconds). ``name`` is the file's; ``sample_rate`` is the stream's in Hz.

        If the recording has to end early, ``on_fault`` is called once with the reason, in this thread or the shelf's.
        """
        self._shelf = shelf
        self._name = name
        self._rate = sample_rate
        self._most_bytes = most_bytes
        self._clock = clock
        self._on_fault = on_fault
        self._began = clock()
        self._left, self._right = bytearray(), bytearray()
        self._at = 0
        """Index of the first frame of both; all before it was handed to the shelf."""
        self._pad: tuple[int, int] = (0, 0)
        """Last silence that fills a gap of the caller: its first frame, and the frame after it."""
        self._file: int | None = None
        self._bytes = 0
        self._over = False
        self._failed = False

    def caller(self, pcm: bytes) -> None:
        """Take a piece of the caller's audio that has just come, PCM16 little-endian."""
        if self._over:
            return
        now = self._frame(self._clock())
        slip, length = int(_SLIP_S * self._rate), len(pcm) // 2
        end = self._at + len(self._left) // 2
        begin = max(now - length, 0)
        if begin - end > slip:
            self._left += bytes(2 * (begin - end))
            self._pad, end = (end, begin), begin
        ahead = end + length - now
        if ahead > 0:
            end -= self._take_from_pad(ahead)
        room = max(0, now + slip - end)
        self._left += pcm[: 2 * min(room, length)]
        self._flush(now)

    def bot(self, begins: float, pcm: bytes) -> None:
        """Take a piece of the bot's audio that begins to be heard at ``begins`` by the clock. Pieces come in order."""
        if self._over:
            return
        gap = self._frame(begins) - self._at - len(self._right) // 2
        if gap > 1:  # one is a matter of rounding
            self._right += bytes(2 * gap)
        self._right += pcm
        self._flush(self._frame(self._clock()))

    def cleared(self, at: float) -> None:
        """Remove the bot's audio after ``at``, which was not heard."""
        del self._right[2 * max(0, self._frame(at) - self._at) :]

    def close(self) -> None:
        """End the recording with the call, without audio of the bot that was not heard by now. Idempotent."""
        if self._over:
            return
        self.cleared(self._clock())
        self._write(max(len(self._left), len(self._right)) // 2)
        self._over = True
        self._shelf.do(self._close_file, always=True)

    def _frame(self, at: float) -> int:
        return round((at - self._began) * self._rate)

    def _take_from_pad(self, frames: int) -> int:
        """Remove up to ``frames`` frames of silence that stand for late audio. Return how many were removed."""
        first, behind = self._pad
        first = max(first, self._at)
        taken = max(0, min(frames, behind - first))
        del self._left[2 * (first - self._at) : 2 * (first - self._at + taken)]
        self._pad = (first, behind - taken)
        return taken

    def _flush(self, now: int) -> None:
        ready = now - int(_HOLD_S * self._rate) - self._at
        if ready >= int(_BLOCK_S * self._rate):
            self._write(ready)

    def _write(self, frames: int) -> None:
        """Hand ``frames`` frames to the shelf; if a channel has fewer, the rest is silence."""
        if not frames:
            return
        size = 2 * frames
        if _HEADER.size + 4 * (self._at + frames) > self._most_bytes:
            self._stop(f"it is as big as ai.record.most_call_bytes = {self._most_bytes} allows")
            return
        block = np.zeros((frames, 2), "<i2")
        for channel, pending in enumerate((self._left, self._right)):
            samples = np.frombuffer(bytes(pending[:size]), "<i2")
            block[: len(samples), channel] = samples
            del pending[:size]
        self._at += frames
        if not self._shelf.do(partial(self._append, block.tobytes())):
            self._stop("the disk is too slow")

    def _stop(self, why: str) -> None:
        self._over = True
        self._left.clear()
        self._right.clear()
        self._on_fault(why)
        self._shelf.do(self._close_file, always=True)

    # On the shelf's thread

    def _append(self, block: bytes) -> None:
        if self._failed:
            return
        try:
            if self._file is None:
                self._file = self._shelf.create(self._name)
                self._write_at(0, self._header(0))
            self._write_at(_HEADER.size + self._bytes, block)
            self._write_at(0, self._header(self._bytes + len(block)))
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        self._bytes += len(block)
        if not self._shelf.has_room(len(block)):
            self._fail("ai.record.most_bytes is reached, and what is there is still being written")

    def _header(self, size: int) -> bytes:
        return _HEADER.pack(
            *(b"RIFF", _HEADER.size - 8 + size, b"WAVE"),
            *(b"fmt ", 16, 1, 2, self._rate, self._rate * 4, 4, 16),
            *(b"data", size),
        )

    def _write_at(self, offset: int, data: bytes) -> None:
        assert self._file is not None
        while data:
            written = os.pwrite(self._file, data, offset)
            offset, data = offset + written, data[written:]

    def _fail(self, why: str) -> None:
        """End the file after the last block that its header counts."""
        self._over = self._failed = True
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, _HEADER.size + self._bytes)
        self._close_file()
        self._on_fault(why)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
