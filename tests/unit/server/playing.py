"""Exotel's end of a call as the bot notices it, by the test's clock."""

import base64
import json
from collections.abc import Callable
from typing import Any

from exotel_ws.ai.alarm import Clock, Timer
from exotel_ws.encodings import Encoding


class Exotel:
    """Exotel that plays audio in real time, ``delay_s`` later; clear drops unplayed audio; marks come back when played."""

    def __init__(self, clock: Clock, rate: int, delay_s: float = 0.0, marks: bool = True) -> None:
        self.clock, self.rate, self.delay_s, self.marks = clock, rate, delay_s, marks
        self.on_mark: Callable[[str], None] = lambda _name: None
        self.encoding = Encoding.PCM16
        self.messages: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.most_lead_s = 0.0
        self.holes = 0
        self.clears_of_nothing = 0
        self._ends_at = 0.0
        self._pieces: list[tuple[float, bytes]] = []
        self._cleared_at: list[float] = []
        self._marks_due: list[Timer] = []

    def take(self, messages: tuple[str, ...], audio_bytes: int) -> None:
        parsed = [json.loads(message) for message in messages]
        self.messages += parsed
        audio = b"".join(base64.b64decode(message["media"]["payload"]) for message in parsed if message["event"] == "media")
        assert len(audio) == audio_bytes
        for message in parsed:
            self._one(message)

    def _one(self, message: dict[str, Any]) -> None:
        arrives = self.clock.time() + self.delay_s
        if message["event"] == "media":
            data = base64.b64decode(message["media"]["payload"])
            self.sizes.append(len(data))
            pcm = self.encoding.decode(data)
            begins = max(arrives, self._ends_at)
            self.holes += bool(self._pieces) and begins > self._ends_at + 1e-6
            self._pieces.append((begins, pcm))
            self._ends_at = begins + len(pcm) / (2 * self.rate)
            self.most_lead_s = max(self.most_lead_s, self._ends_at - arrives)
        elif message["event"] == "mark":
            if self.marks:
                back = max(arrives, self._ends_at) + self.delay_s
                self._marks_due.append(self.clock.call_at(back, self.on_mark, message["mark"]["name"]))
        elif message["event"] == "clear":
            self.clears_of_nothing += self._ends_at + self.delay_s <= self.clock.time()
            kept = []
            for begins, pcm in self._pieces:
                heard = int((arrives - begins) * self.rate + 1e-3) * 2
                if heard > 0:
                    kept.append((begins, pcm[:heard]))
            self._pieces = kept
            self._ends_at = min(self._ends_at, arrives)
            self.forget_marks()

    def forget_marks(self) -> None:
        """Cancel the marks that are still due."""
        for timer in self._marks_due:
            timer.cancel()

    @property
    def heard(self) -> bytes:
        return b"".join(pcm for _, pcm in self._pieces)

    @property
    def sounding(self) -> bool:
        return self.clock.time() + 1e-3 < self._ends_at

    @property
    def clears(self) -> int:
        return sum(message["event"] == "clear" for message in self.messages)
