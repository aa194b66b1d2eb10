"""The Exotel Voicebot stream: typed messages, a tolerant reader and a strict writer.

Exotel is the WebSocket client; messages are JSON in text frames, audio is base64 of 16-bit signed little-endian mono PCM.
What live calls were seen to send, and what documents only claim, is compiled in ``docs/protocol.md``.
The reader accepts every spelling that was seen; the writer sends only the documented one.
"""

import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

SAMPLE_RATES: Final = (8000, 16000, 24000)
DEFAULT_SAMPLE_RATE: Final = 8000
DTMF_DIGITS: Final = frozenset("0123456789*#")

OUTPUT_MAX: Final = 99_840
"""Bytes of PCM in one outgoing message: the largest multiple of 320 within the documented 100,000.

Output that is not a multiple of 320 makes the platform wait 20 ms: an audible gap.
"""
MOST_SID: Final = 256
"""Characters; live ones have 32. Every message out carries it: a long one would make much of the little that comes in."""


class ProtocolFault(Exception):
    """A message that breaks the protocol. ``kind`` is a short stable name (a metric label), the text says what was wrong."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


Number: TypeAlias = str | int | float | None
"""A number as it came: live calls send strings, some documents show integers. See `number`."""


class Connected(msgspec.Struct, frozen=True, gc=False):
    """The first message of a stream. Carries nothing."""


class Start(msgspec.Struct, frozen=True):
    """A stream begins.

    ``sample_rate`` (Hz) and ``encoding`` are what ``media_format`` says, None where it says nothing usable.
    ``encoding`` is informative only: it differs by source while the audio is always PCM16 little-endian mono.
    ``from_`` and ``to`` are not E.164. ``custom_parameters`` holds the query of the applet's URL, which Exotel
    strips before it connects, sometimes mangled.
    """

    stream_sid: str
    call_sid: str = ""
    leg_sid: str = ""
    account_sid: str = ""
    from_: str = ""
    to: str = ""
    encoding: str = ""
    sample_rate: int | None = None
    custom_parameters: dict[str, str] = {}


class Media(msgspec.Struct, frozen=True, gc=False):
    """One piece of the caller's audio; at 8 kHz 320 bytes every 20 ms, silence included, but never assume the size.

    ``payload`` is the base64 text as it came, ``pcm`` what it holds (PCM16 little-endian mono, a whole number of samples).
    ``chunk`` and ``timestamp`` (ms) are as they came: see `number`.
    """

    stream_sid: str
    payload: str
    pcm: bytes
    chunk: Number = None
    timestamp: Number = None


class Mark(msgspec.Struct, frozen=True, gc=False):
    """All audio sent before our mark of this name has been played (or, unsolicited, a client's own mark)."""

    stream_sid: str
    name: str


class Dtmf(msgspec.Struct, frozen=True, gc=False):
    """The caller pressed a key: one of ``0-9 * #``; ``duration`` in ms where told."""

    stream_sid: str
    digit: str
    duration: int | None = None


class Clear(msgspec.Struct, frozen=True, gc=False):
    """A client's own ``clear``. Exotel is the receiver of this message; test tools send it."""

    stream_sid: str


class Stop(msgspec.Struct, frozen=True, gc=False):
    """The stream ended. ``reason`` is opaque text. Nothing can be sent after this; a TCP drop (1006) follows."""

    stream_sid: str
    reason: str = ""
    call_sid: str = ""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """An event that this reader does not know: ignored and counted, never fatal."""

    event: str


Message: TypeAlias = Connected | Start | Media | Mark | Dtmf | Clear | Stop | Unknown


class _MediaBody(msgspec.Struct, gc=False):
    payload: str | None = None
    chunk: Number = None
    timestamp: Number = None


class _Frame(msgspec.Struct, gc=False):
    """The union of all frames. Bodies other than media are rare and read without a schema."""

    event: str
    stream_sid: str | None = None
    camel_sid: str | None = msgspec.field(default=None, name="streamSid")
    media: _MediaBody | None = None
    start: dict[str, Any] | None = None
    mark: dict[str, Any] | None = None
    dtmf: dict[str, Any] | None = None
    stop: dict[str, Any] | None = None
    digit: str | int | None = None
    duration: Number = None
    name: str | None = None


_decode = msgspec.json.Decoder(_Frame).decode


def number(value: Number) -> int | None:
    """An integer that may have come as a string (live calls) or a number (some documents); None if it is neither."""
    try:
        return None if value is None else int(float(value))
    except (ValueError, OverflowError):
        return None


def read(text: str | bytes) -> Message:
    """Read one text frame.

    Raises `ProtocolFault` of kind ``not_json``, ``bad_type``, ``no_event``, ``missing_field``, ``bad_payload`` or ``bad_digit``.
    """
    try:
        frame = _decode(text)
    except msgspec.ValidationError as error:
        kind = "no_event" if "missing required field `event`" in str(error) else "bad_type"
        raise ProtocolFault(kind, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolFault("not_json", f"not JSON: {error}") from None
    except RecursionError:
        raise ProtocolFault("not_json", "JSON nested too deep") from None
    stream_sid = frame.stream_sid or frame.camel_sid or ""
    if len(stream_sid) > MOST_SID:
        raise _too_long(stream_sid)
    event = frame.event
    if event == "media":
        return _media(frame, stream_sid)
    reader = _READERS.get(event)
    return Unknown(event) if reader is None else reader(frame, stream_sid)


def _media(frame: _Frame, stream_sid: str) -> Media:
    body = frame.media
    if body is None or body.payload is None:
        raise ProtocolFault("missing_field", "media without media.payload")
    payload = body.payload
    try:
        pcm = binascii.a2b_base64(payload, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolFault("bad_payload", f"media.payload is not base64: {error}") from None
    if not pcm or len(pcm) % 2:
        raise ProtocolFault("bad_payload", f"media.payload holds {len(pcm)} bytes, not a whole number of 16-bit samples")
    return Media(stream_sid, payload, pcm, body.chunk, body.timestamp)


def _connected(_frame: _Frame, _stream_sid: str) -> Connected:
    return Connected()


def _start(frame: _Frame, stream_sid: str) -> Start:
    body = frame.start or {}
    stream_sid = stream_sid or _text(body.get("stream_sid") or body.get("streamSid"))
    if not stream_sid:
        raise ProtocolFault("missing_field", "start without stream_sid, neither at the top nor inside start")
    if len(stream_sid) > MOST_SID:
        raise _too_long(stream_sid)
    media_format = body.get("media_format")
    if not isinstance(media_format, dict):
        media_format = {}
    return Start(
        stream_sid=stream_sid,
        call_sid=_text(body.get("call_sid")),
        leg_sid=_text(body.get("leg_sid")),
        account_sid=_text(body.get("account_sid")),
        from_=_text(body.get("from")),
        to=_text(body.get("to")),
        encoding=_text(media_format.get("encoding")),
        sample_rate=number(_scalar(media_format.get("sample_rate"))),
        custom_parameters=_parameters(body.get("custom_parameters")),
    )


def _mark(frame: _Frame, stream_sid: str) -> Mark:
    name = _text((frame.mark or {}).get("name")) or frame.name
    if not name:
        raise ProtocolFault("missing_field", "mark without mark.name")
    return Mark(stream_sid, name)


def _dtmf(frame: _Frame, stream_sid: str) -> Dtmf:
    body = frame.dtmf or {}
    digit = _text(body.get("digit", frame.digit))
    if digit not in DTMF_DIGITS:
        raise ProtocolFault("bad_digit", f"dtmf digit {digit[:8]!r} is none of 0-9 * #")
    return Dtmf(stream_sid, digit, number(_scalar(body.get("duration", frame.duration))))


def _clear(_frame: _Frame, stream_sid: str) -> Clear:
    return Clear(stream_sid)


def _stop(frame: _Frame, stream_sid: str) -> Stop:
    body = frame.stop or {}
    return Stop(stream_sid, _text(body.get("reason")), _text(body.get("call_sid")))


_READERS: Final[dict[str, Callable[[_Frame, str], Message]]] = {
    "connected": _connected,
    "start": _start,
    "mark": _mark,
    "dtmf": _dtmf,
    "clear": _clear,
    "stop": _stop,
}


def _too_long(stream_sid: str) -> ProtocolFault:
    return ProtocolFault("bad_type", f"a stream_sid of {len(stream_sid)} characters, at most {MOST_SID} are taken")


def _scalar(value: object) -> Number:
    return value if isinstance(value, str | int | float) else None


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _parameters(value: object) -> dict[str, str]:
    if isinstance(value, str):  # the whole query as one text
        return {value: ""} if value else {}
    return {key: _text(item) for key, item in value.items()} if isinstance(value, dict) else {}


def sample_rate(start: Start | None, query: Mapping[str, str]) -> int:
    """The stream's rate in Hz: from ``start.media_format``, else the URL's query, else custom parameters, else 8000.

    The order is that of the wire: the query is stripped from real calls, so a rate read from the URL alone is a wrong pitch.
    Anything but 8000, 16000 and 24000 is passed over.
    """
    said: list[Number] = [start.sample_rate if start else None]
    for source in (query, start.custom_parameters if start else {}):
        said += [source.get("sample-rate"), source.get("sample_rate")]
    return next((rate for rate in map(number, said) if rate in SAMPLE_RATES), DEFAULT_SAMPLE_RATE)


def rate_asked(query: Mapping[str, str], parameters: Mapping[str, str]) -> int | None:
    """Hz: the rate that the applet's URL asks for, by its query or what Exotel made of it; None where it asks for none."""
    said = [source.get(key) for source in (query, parameters) for key in ("sample-rate", "sample_rate")]
    return next((rate for text in said if (rate := number(text)) is not None), None)


class Writer:
    """Writes the messages of one stream, in the documented spelling.

    With ``number_frames`` media also carry ``sequence_number``, ``media.chunk`` and ``media.timestamp`` as strings,
    which one vendor sample says some flows need; they are not required, and off by default.
    """

    def __init__(self, stream_sid: str, *, sample_rate: int = DEFAULT_SAMPLE_RATE, number_frames: bool = False) -> None:
        """Raises ValueError where ``stream_sid`` is empty: Exotel drops a message without it."""
        if not stream_sid:
            raise ValueError("stream_sid is empty")
        self._sid = json.dumps(stream_sid)
        self._media_head = f'{{"event":"media","stream_sid":{self._sid},"media":{{"payload":"'
        self._bytes_per_ms = sample_rate * 2 // 1000
        self._numbering = number_frames
        self._chunk = 0
        self._sent_bytes = 0

    def echo(self, media: Media) -> tuple[str, ...]:
        """The caller's own audio, payload unchanged; in several messages where it is above the documented maximum."""
        if len(media.pcm) > OUTPUT_MAX:
            return self.audio(media.pcm)
        if self._numbering:
            return (self._numbered(media.payload, len(media.pcm)),)
        return (f'{self._media_head}{media.payload}"}}}}',)

    def audio(self, pcm: bytes) -> tuple[str, ...]:
        """``pcm`` (PCM16 little-endian mono, any length) as media messages of at most `OUTPUT_MAX` bytes."""
        pieces = (pcm[at : at + OUTPUT_MAX] for at in range(0, len(pcm), OUTPUT_MAX))
        encoded = ((binascii.b2a_base64(piece, newline=False).decode(), len(piece)) for piece in pieces)
        if self._numbering:
            return tuple(self._numbered(payload, size) for payload, size in encoded)
        return tuple(f'{self._media_head}{payload}"}}}}' for payload, _ in encoded)

    def _numbered(self, payload: str, size: int) -> str:
        self._chunk += 1
        at_ms = self._sent_bytes // self._bytes_per_ms
        self._sent_bytes += size
        return (
            f'{{"event":"media","stream_sid":{self._sid},"sequence_number":"{self._chunk}",'
            f'"media":{{"chunk":"{self._chunk}","timestamp":"{at_ms}","payload":"{payload}"}}}}'
        )

    def mark(self, name: str) -> str:
        """A mark: Exotel sends it back when all audio before it has been played, late, or never."""
        return f'{{"event":"mark","stream_sid":{self._sid},"mark":{{"name":{json.dumps(name)}}}}}'

    def clear(self) -> str:
        """Drop the audio that was sent and has not started to play."""
        return f'{{"event":"clear","stream_sid":{self._sid}}}'
