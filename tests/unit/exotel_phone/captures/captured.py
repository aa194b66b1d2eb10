"""Captured calls, made by hand."""

import base64
from collections.abc import Iterable

from exotel_phone.captures.calls import Call
from exotel_phone.captures.records import Close, Message, Open
from exotel_phone.wire import Ids, Stream

from tests.protocol.wire import audio

FRAMES = audio(10)


def captured(
    frames: Iterable[bytes] = FRAMES,
    *,
    ids: Ids | None = None,
    echo: Iterable[bytes] | None = None,
    began: float = 1000.0,
    step: float = 0.02,
    numbered: int = 0,
    extra: Iterable[str] = (),
) -> Call:
    """Return a call of these frames and this ``echo`` (default: the frames), a message each ``step`` seconds.

    ``numbered`` messages were numbered before; ``extra`` messages of the server come at the end.
    """
    ids = ids or Ids("s" * 32, "c" * 32, "l" * 32)
    stream = Stream(ids, 8000)
    for _ in range(numbered):
        stream.media(b"")
    said = list(frames)
    call = Call(Open(began, "conn_1", rate_asked="8000"))
    at = began

    def put(side: str, text: str) -> None:
        call.take(Message(round(at, 6), "conn_1", side, text))  # type: ignore[arg-type]

    put("exotel", stream.connected())
    put("exotel", stream.start())
    heard = list(said if echo is None else echo)
    for number in range(max(len(said), len(heard))):
        at += step
        if number < len(said):
            put("exotel", stream.media(said[number]))
        if number < len(heard):
            put("server", media(heard[number], ids.stream_sid))
    for text in extra:
        put("server", text)
    put("exotel", stream.stop())
    call.close = Close(at + 0.1, "conn_1", "stop", 1006)
    return call


def media(pcm: bytes, sid: str) -> str:
    """Return an echo as the server writes it."""
    return f'{{"event":"media","stream_sid":"{sid}","media":{{"payload":"{base64.b64encode(pcm).decode()}"}}}}'
