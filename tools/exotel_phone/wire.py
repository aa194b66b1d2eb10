"""Write the messages of one stream as Exotel does: key order, types and the newline at the end as captured on live calls."""

import binascii
import dataclasses
import json
import secrets
import string
from collections.abc import Mapping
from typing import Final, NamedTuple

FRAME_MS = 20
CHUNK_UNIT, CHUNK_LEAST, CHUNK_MOST = 320, 3200, 100_000
"""Bytes of audio in one message that Exotel plays without a gap: a multiple, at least, at most."""
USER_AGENT = "Go-http-client/1.1"
"""``User-Agent`` of Exotel's WebSocket client."""


class Format(NamedTuple):
    """Format of the audio: ``name`` is what ``start`` says of the encoding; a sample has ``sample_bytes``."""

    name: str
    sample_bytes: int


PCM: Final = Format("base64", 2)
"""16-bit samples, as live calls say it."""


def frame_bytes(rate: int, sample_bytes: int = PCM.sample_bytes) -> int:
    """Return the bytes of one 20 ms frame at ``rate`` Hz: 320 at 8000, 160 in µ-law or A-law."""
    return rate // 1000 * FRAME_MS * sample_bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Ids:
    """Identities of a call. ``from_`` and ``to`` are national numbers, as Exotel sends them, not E.164."""

    stream_sid: str
    call_sid: str
    leg_sid: str
    account_sid: str = "exotelctl1"
    from_: str = "09876543210"
    to: str = "02012345678"

    @classmethod
    def new(cls) -> "Ids":
        """Return random identities in the shape of real ones."""
        leg = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(27))
        return cls(f"{secrets.token_hex(15)}4r", f"{secrets.token_hex(15)}4r", f"{leg}00000")


class Stream:
    """Write the messages of one stream in turn and number them: ``start`` is 1, the first ``media`` 2, and so on.

    With ``ints`` set, numbers are written as JSON integers, as some documents have them, instead of strings.
    """

    def __init__(self, ids: Ids, rate: int, audio: Format = PCM) -> None:
        self.ids = ids
        self.rate = rate
        self._audio = audio
        self.ints = False
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> str:
        """Return the first message."""
        return _line({"event": "connected"})

    def start(self, custom_parameters: Mapping[str, str] | None = None) -> str:
        """Return ``start``; ``custom_parameters`` is left out if there are none."""
        ids = self.ids
        body: dict[str, object] = {
            "stream_sid": ids.stream_sid,
            "call_sid": ids.call_sid,
            "leg_sid": ids.leg_sid,
            "account_sid": ids.account_sid,
            "from": ids.from_,
            "to": ids.to,
        }
        if custom_parameters:
            body["custom_parameters"] = dict(custom_parameters)
        bit_rate = f"{self.rate * 8 * self._audio.sample_bytes // 1000}kbps"
        body["media_format"] = {"encoding": self._audio.name, "sample_rate": str(self.rate), "bit_rate": bit_rate}
        return _line({"event": "start", "stream_sid": ids.stream_sid, "sequence_number": self._next(), "start": body})

    def media(self, data: bytes) -> str:
        """Return one frame of audio, which is in the stream's encoding."""
        return self.media_base64(binascii.b2a_base64(data, newline=False).decode())

    def media_base64(self, payload: str) -> str:
        """Return one frame of audio given as base64 text, for a caller that sends the same often."""
        self._chunk += 1
        sequence, chunk, timestamp = self._next(), self._number(self._chunk), self._number(self._chunk * FRAME_MS)
        quote = "" if self.ints else '"'
        # Written without the JSON library: a phone in a load test writes nothing else.
        return (
            f'{{"event":"media","stream_sid":"{self.ids.stream_sid}","sequence_number":{quote}{sequence}{quote},"media":'
            f'{{"chunk":{quote}{chunk}{quote},"timestamp":{quote}{timestamp}{quote},"payload":"{payload}"}}}}\n'
        )

    def mark(self, name: str) -> str:
        """Return the mark ``name``, without a sequence number."""
        return _line({"event": "mark", "stream_sid": self.ids.stream_sid, "mark": {"name": name}})

    def dtmf(self, digit: str, duration_ms: int = 100) -> str:
        """Return the key ``digit`` pressed by the caller."""
        body = {"digit": digit, "duration": self._number(duration_ms)}
        return _line({"event": "dtmf", "sequence_number": self._next(), "stream_sid": self.ids.stream_sid, "dtmf": body})

    def clear(self) -> str:
        """Return ``clear``, which Exotel itself only receives; a server must tolerate it."""
        return _line({"event": "clear", "stream_sid": self.ids.stream_sid})

    def other(self, message: Mapping[str, object]) -> str:
        """Return any message, for tests of what a server tolerates."""
        return _line({**message, "stream_sid": self.ids.stream_sid})

    def stop(self, reason: str = "canceled or call ended") -> str:
        """Return ``stop``; only the drop of the connection may follow."""
        ids = self.ids
        body = {"call_sid": ids.call_sid, "leg_sid": ids.leg_sid, "account_sid": ids.account_sid, "reason": reason}
        return _line({"event": "stop", "stream_sid": ids.stream_sid, "sequence_number": self._next(), "stop": body})

    def _next(self) -> str | int:
        self._sequence += 1
        return self._number(self._sequence)

    def _number(self, value: int) -> str | int:
        return value if self.ints else str(value)


def _line(message: Mapping[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False) + "\n"
