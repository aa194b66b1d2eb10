"""Calls as records of a capture, for tests of the trace: messages of Exotel and an echo server at given times."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from exotel_phone import audio
from exotel_phone.captures.records import Capture, Close, End, Message, Open, Record, Side, line
from exotel_phone.encodings import FORMATS
from exotel_phone.wire import Ids, Stream
from exotel_ws.encodings import Encoding

BEGAN = 1_764_000_000.0
HEADER = Capture(1, "vm-1", "g1-1", "0.1.0", BEGAN, "keep", False)
PCM = audio.frames(audio.speech_like(0.2, 8000), 8000)[3]


class Teller:
    """Records of one call. ``clock`` is the time of the next one, in seconds since `BEGAN`."""

    def __init__(
        self,
        conn: str = "conn_1",
        *,
        sid: str = "e33fa96945d0",
        call_sid: str = "a950c8dabf74",
        encoding: Encoding = Encoding.PCM16,
    ) -> None:
        self.conn, self.clock = conn, 1.0
        self._encoding = encoding
        self.stream = Stream(Ids(sid, call_sid, "leg"), 8000, FORMATS[encoding])
        self.records: list[Record] = [Open(BEGAN + self.clock, conn, "203.0.113.9", "8000", "g1-1")]

    @property
    def at(self) -> float:
        return BEGAN + self.clock

    def says(self, text: str, sender: Side = "exotel", *, after_s: float = 0.001, omitted: int = 0) -> None:
        """Add a message of ``sender``, ``after_s`` seconds after the last one."""
        self.clock = round(self.clock + after_s, 6)
        self.records.append(Message(self.at, self.conn, sender, text, False, omitted))

    def begins(self) -> None:
        """Add ``connected`` and ``start``."""
        self.says(self.stream.connected())
        self.says(self.stream.start({"token": "s3cret-token", "sample-rate": "8000"}))

    def talks(self, frames: int, *, gap_s: float = 0.020, echoed: bool = True) -> None:
        """Add this many frames, one each ``gap_s``, each echoed 1 ms later."""
        for _ in range(frames):
            data = self._encoding.encode(PCM)
            self.says(self.stream.media(data), after_s=gap_s - 0.001 if echoed else gap_s)
            if echoed:
                self.says(self.media(data), "server")

    def media(self, data: bytes) -> str:
        """Add a media message of the server."""
        payload = base64.b64encode(data).decode()
        return json.dumps({"event": "media", "stream_sid": self.stream.ids.stream_sid, "media": {"payload": payload}})

    def hangs_up(self) -> None:
        """Add ``stop`` and the drop."""
        self.says(self.stream.stop())
        self.closes("stop")

    def closes(self, ended: str, code: int = 1006) -> None:
        """Add the end of the connection."""
        self.clock = round(self.clock + 0.001, 6)
        self.records.append(Close(self.at, self.conn, ended, code))


def told(*, conn: str = "conn_1", call_sid: str = "a950c8dabf74", frames: int = 50) -> list[Record]:
    """Return a whole call without a fault."""
    teller = Teller(conn, call_sid=call_sid, sid=f"stream-of-{conn}")
    teller.begins()
    teller.talks(frames)
    teller.hangs_up()
    return teller.records


def capture(*calls: Iterable[Record], complete: bool = True) -> Iterator[Record]:
    """Return calls as one capture, in the order of time."""
    body = sorted((record for call in calls for record in call), key=lambda record: record.at)  # type: ignore[union-attr]
    yield HEADER
    yield from body
    yield End(BEGAN + 60, complete, "the calls ended" if complete else "worker killed", len(body), len(calls))


def write(path: Path, records: Iterable[Record]) -> Path:
    """Write the records to a file."""
    path.write_bytes(b"".join(line(record) for record in records))
    return path
