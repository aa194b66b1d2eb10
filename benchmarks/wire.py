"""Messages of Exotel for one call, built cheaply enough to send 20,000 a second."""

import base64
import json
import random
from itertools import cycle

FRAME_BYTES = 320
FRAME_MS = 20
HEADERS = {"User-Agent": "Go-http-client/1.1"}
CONNECTED = b'{"event":"connected"}\n'

# Enough different audio to notice an answer with the wrong frame; seeded, so that every run sends the same bytes.
_random = random.Random(2)
PAYLOADS = [base64.b64encode(_random.randbytes(FRAME_BYTES)) for _ in range(16)]


class Script:
    """Messages of one simulated call, in order, as UTF-8 bytes ending with a line feed.

    `number` makes the identifiers of the call; two calls of one run must not share it.
    """

    def __init__(self, number: int) -> None:
        self.stream_sid = f"e33fa96945d009517c3ae5{number:010d}"
        self._call_sid = f"a950c8dabf743862c3dd74{number:010d}"
        self._payloads = cycle(PAYLOADS)
        self._sequence = 1
        self._media = (
            b'{"event":"media","stream_sid":"%b","sequence_number":"%%d",'
            b'"media":{"chunk":"%%d","timestamp":"%%d","payload":"%%b"}}\n'
        ) % self.stream_sid.encode()

    def start(self) -> bytes:
        """Return the `start` message: 8,000 Hz, no custom parameters."""
        return _line(
            {
                "event": "start",
                "stream_sid": self.stream_sid,
                "sequence_number": "1",
                "start": {
                    "stream_sid": self.stream_sid,
                    "call_sid": self._call_sid,
                    "leg_sid": "3CvkviWfNOpTR0JGeIWWobV6yOx00000",
                    "account_sid": "acmevoice1",
                    "from": "09876543210",
                    "to": "02012345678",
                    "media_format": {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"},
                },
            }
        )

    def media(self) -> tuple[bytes, bytes]:
        """Return the next 20 ms of audio: the message, and the base64 payload that must come back."""
        payload = next(self._payloads)
        chunk = self._sequence
        self._sequence += 1
        return self._media % (self._sequence, chunk, chunk * FRAME_MS, payload), payload

    def stop(self) -> bytes:
        """Return the `stop` message, after which Exotel drops the TCP connection without a close frame."""
        return _line(
            {
                "event": "stop",
                "stream_sid": self.stream_sid,
                "sequence_number": str(self._sequence + 1),
                "stop": {
                    "call_sid": self._call_sid,
                    "leg_sid": "3CvkviWfNOpTR0JGeIWWobV6yOx00000",
                    "account_sid": "acmevoice1",
                    "reason": "callended",
                },
            }
        )


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
