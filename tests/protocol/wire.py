"""Messages as Exotel sends them: key order, types and the trailing newline as captured from live calls."""

import base64
import json
import random
from typing import Any

STREAM = "e33fa96945d009517c3ae54680751a4r"
CALL = "a950c8dabf743862c3dd740e082a1a4r"
LEG = "3CvkviWfNOpTR0JGeIWWobV6yOx00000"
ACCOUNT = "acmevoice1"


def message(**body: Any) -> str:
    """Return a text frame of Exotel's: JSON without spaces, and a newline."""
    return json.dumps(body, separators=(",", ":")) + "\n"


def connected() -> str:
    return message(event="connected")


def start(sid: str = STREAM, *, call_sid: str = CALL, rate: Any = "8000", encoding: str = "base64", **more: Any) -> str:
    """Return ``start`` with ``more`` in its body, e.g. ``custom_parameters`` or ``from_`` for "from"; None removes a key."""
    body: dict[str, Any] = {
        "stream_sid": sid,
        "call_sid": call_sid,
        "leg_sid": LEG,
        "account_sid": ACCOUNT,
        "from": "09876543210",
        "to": "02012345678",
        "media_format": {"encoding": encoding, "sample_rate": rate, "bit_rate": "128kbps"},
    }
    body |= {key.rstrip("_"): value for key, value in more.items()}
    body = {key: value for key, value in body.items() if value is not None}
    return message(event="start", stream_sid=sid, sequence_number="1", start=body)


def media(pcm: bytes, sid: str = STREAM, *, chunk: int = 1) -> str:
    body = {"chunk": str(chunk), "timestamp": str(chunk * 20), "payload": base64.b64encode(pcm).decode()}
    return message(event="media", stream_sid=sid, sequence_number=str(chunk + 1), media=body)


def mark(name: str, sid: str = STREAM) -> str:
    return message(event="mark", stream_sid=sid, mark={"name": name})


def dtmf(digit: str, sid: str = STREAM) -> str:
    return message(event="dtmf", sequence_number="7", stream_sid=sid, dtmf={"digit": digit, "duration": "100"})


def clear(sid: str = STREAM) -> str:
    return message(event="clear", stream_sid=sid)


def stop(sid: str = STREAM, *, call_sid: str = CALL, reason: str = "canceled or call ended") -> str:
    body = {"call_sid": call_sid, "leg_sid": LEG, "account_sid": ACCOUNT, "reason": reason}
    return message(event="stop", stream_sid=sid, sequence_number="2436", stop=body)


def audio(frames: int, *, seed: int = 0, size: int = 320) -> list[bytes]:
    """Return ``frames`` pieces of PCM of ``size`` bytes, noise that no two positions share."""
    source = random.Random(seed)
    return [source.randbytes(size) for _ in range(frames)]
