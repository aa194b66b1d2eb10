"""The Exotel Voicebot stream: typed messages, a tolerant reader and a strict writer.

Exotel is the WebSocket client; messages are JSON in text frames, audio is base64 of 16-bit signed little-endian mono PCM.
``docs/protocol.md`` says what live calls were seen to send, and what only documents claim.
The reader accepts every spelling that was seen; the writer sends only the documented one.
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from exotel_ws import parameters
from exotel_ws.encodings import Encoding
from exotel_ws.parameters import as_text

SAMPLE_RATES: Final = (8000, 16000, 24000)
DEFAULT_SAMPLE_RATE: Final = 8000
DTMF_DIGITS: Final = frozenset("0123456789*#")

OUTPUT_MAX: Final = 99_840
"""Bytes of PCM in one outgoing message: the largest multiple of 320 within the documented 100,000.

Output that is not a multiple of 320 makes the platform wait 20 ms: an audible gap.
"""
_PAYLOAD_MAX: Final = OUTPUT_MAX // 3 * 4
"""Characters of base64 that hold `OUTPUT_MAX` bytes."""
MOST_SID: Final = 256
"""Most characters of a stream_sid; live ones have 32. Every outgoing message carries it, and a mark's name is kept and sent back:
longer ones of both are refused. Other ids only name the call, and are cut."""
_MOST_NUMBER: Final = 64
"""Most characters of a telephone number."""
_MOST_WORD: Final = 40
"""Most characters of an encoding, a number written as a text, or an event's name in a message about it."""
_MOST_REASON: Final = 200
_MOST_PIECES: Final = 64
"""Most pieces of base64 sought in one malformed payload."""
_BASE64_PIECE: Final = re.compile(r"[A-Za-z0-9+/]{2,}")
_BASE64_FORMS: Final = {**dict.fromkeys(map(ord, " \t\r\n")), ord("-"): "+", ord("_"): "/"}
"""Translation of base64 that drops blanks and line ends, and turns the URL-safe alphabet (RFC 4648, 5) into the usual one."""
_SNAKE: Final = {
    "callSid": "call_sid",
    "legSid": "leg_sid",
    "accountSid": "account_sid",
    "mediaFormat": "media_format",
    "customParameters": "custom_parameters",
    "sampleRate": "sample_rate",
}
"""Second spelling of the fields of start, used by clients that write ``streamSid``."""


class ProtocolFault(Exception):
    """A message that breaks the protocol: ``kind`` is a short stable name (a metric label), the text says what is wrong."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


Number: TypeAlias = str | int | float | None
"""A number as it came: live calls send strings, some documents show integers. See `number`."""


class Connected(msgspec.Struct, frozen=True, gc=False):
    """First message of a stream, without content."""


class Start(msgspec.Struct, frozen=True):
    """Beginning of a stream.

    ``sample_rate`` (Hz) is from ``media_format``; None if it can't be read there, and ``rate_said`` is then its text.
    ``encoding`` differs by source, although the audio is always PCM16 little-endian mono; use it for display only.
    ``from_`` and ``to`` are not E.164. Exotel strips the query of the applet's URL before it connects: ``custom_parameters``
    holds it as it was in the URL, ``raw_parameters`` as it came, sometimes mangled. ``cut`` names the fields that were
    too long and are not here in full.
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
    raw_parameters: dict[str, str] = {}
    rate_said: str = ""
    cut: tuple[str, ...] = ()


class Media(msgspec.Struct, frozen=True, gc=False):
    """Piece of the caller's audio; at 8 kHz 320 bytes every 20 ms, silence included, but never assume the size.

    ``payload`` is the text as it came, ``pcm`` its audio (PCM16 little-endian mono). ``fault`` says what is wrong with the
    payload, and is empty if nothing is. With a fault, ``pcm`` holds as much as could be decoded: perhaps an odd number of
    bytes, perhaps none. ``chunk`` and ``timestamp`` (ms) are as they came: see `number`.
    """

    stream_sid: str
    payload: str
    pcm: bytes
    chunk: Number = None
    timestamp: Number = None
    fault: str = ""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Notice that all audio sent before our mark of this name has been played; or, unsolicited, a client's own mark."""

    stream_sid: str
    name: str


class Dtmf(msgspec.Struct, frozen=True, gc=False):
    """Key that the caller pressed, one of ``0-9 * #``; ``duration`` in ms, None if it was not told."""

    stream_sid: str
    digit: str
    duration: int | None = None


class Clear(msgspec.Struct, frozen=True, gc=False):
    """A client's own ``clear``. Exotel is the receiver of this message; test tools send it."""

    stream_sid: str


class Stop(msgspec.Struct, frozen=True, gc=False):
    """End of a stream; ``reason`` is opaque text. Nothing can be sent after it; a TCP drop (1006) follows."""

    stream_sid: str
    reason: str = ""
    call_sid: str = ""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """Event that this reader does not know: counted and ignored."""

    event: str


Message: TypeAlias = Connected | Start | Media | Mark | Dtmf | Clear | Stop | Unknown


class _MediaBody(msgspec.Struct, gc=False):
    payload: str | None = None
    chunk: Number = None
    timestamp: Number = None


class _Frame(msgspec.Struct, gc=False):
    """Union of all messages. Bodies other than media are rare and read without a schema."""

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


_FLAT_NAMES: Final = ("from", "to", "reason", "encoding", *_SNAKE, *_SNAKE.values())
_Flat = msgspec.defstruct(
    "_Flat", [(f"field_{at}", Any, msgspec.field(default=None, name=name)) for at, name in enumerate(_FLAT_NAMES)]
)
"""Fields that some clients write at the top level of ``start`` and ``stop``; others are skipped and cost no memory."""
_decode = msgspec.json.Decoder(_Frame).decode
_decode_flat = msgspec.json.Decoder(_Flat).decode
_decode_base64 = msgspec.convert


def number(value: Number) -> int | None:
    """Return an integer that came as a string (live calls) or a number (some documents); None if it is neither."""
    if value is None or (isinstance(value, str) and len(value) > _MOST_WORD):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return int(found) if -1e15 < found < 1e15 else None


def read(text: str | bytes) -> Message:
    """Read one text frame.

    Raises `ProtocolFault` of kind ``not_json``, ``bad_type``, ``no_event``, ``missing_field``, ``too_long`` or ``bad_digit``.
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
        raise _too_long("bad_type", "stream_sid", stream_sid)
    event = frame.event
    if event == "media":
        return _media(frame, stream_sid)
    if event in ("start", "stop"):
        fields = _fields(text, (frame.start if event == "start" else frame.stop) or {})
        return _start(stream_sid, fields) if event == "start" else _stop(stream_sid, fields)
    reader = _READERS.get(event)
    return Unknown(event[:_MOST_WORD]) if reader is None else reader(frame, stream_sid)


def _media(frame: _Frame, stream_sid: str) -> Media:
    body = frame.media
    if body is None or body.payload is None:
        raise ProtocolFault("missing_field", "media without media.payload")
    payload = body.payload
    try:
        # Decode even for an echo, which needs only the verdict: no check without decoding was found to take less time.
        # binascii is as strict and takes longer.
        pcm = _decode_base64(payload, bytes)
    except msgspec.ValidationError:
        pcm, fault = _salvage(payload), "media.payload is not base64"
    else:
        if pcm and not len(pcm) % 2:
            return Media(stream_sid, payload, pcm, body.chunk, body.timestamp)
        fault = f"media.payload holds {len(pcm)} bytes, not a whole number of 16-bit samples"
    return Media(stream_sid, payload, pcm, body.chunk, body.timestamp, fault)


def _salvage(payload: str) -> bytes:
    """Decode the pieces of base64 in a text that is not well-formed, joined ones with padding inside for one."""
    found = bytearray()
    for count, piece in enumerate(_BASE64_PIECE.finditer(payload.translate(_BASE64_FORMS))):
        if count >= _MOST_PIECES:
            break
        text = piece[0][: len(piece[0]) - (len(piece[0]) % 4 == 1)]
        found += binascii.a2b_base64(text + "=" * (-len(text) % 4))
    return bytes(found)


def _connected(_frame: _Frame, _stream_sid: str) -> Connected:
    return Connected()


def _fields(text: str | bytes, body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of ``body``; take missing ones from the top level, where some clients write them."""
    try:
        flat = dict(zip(_FLAT_NAMES, msgspec.structs.astuple(_decode_flat(text)), strict=True))
    except msgspec.ValidationError as error:
        raise ProtocolFault("bad_type", str(error)) from None
    except RecursionError:
        raise ProtocolFault("not_json", "JSON nested too deep") from None
    return _snake(flat) | _snake(body)


def _snake(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields by their names in snake_case; if a field has both spellings, that of snake_case counts."""
    told = {name: value for name, value in body.items() if value is not None}
    return {snake: told[name] for name, snake in _SNAKE.items() if name in told} | told


def _start(stream_sid: str, body: dict[str, Any]) -> Start:
    stream_sid = stream_sid or as_text(body.get("stream_sid") or body.get("streamSid"))
    if not stream_sid:
        raise ProtocolFault("missing_field", "start without stream_sid, neither at the top nor inside start")
    if len(stream_sid) > MOST_SID:
        raise _too_long("bad_type", "stream_sid", stream_sid)
    media_format = body.get("media_format")
    media_format = _snake(media_format) if isinstance(media_format, dict) else {}
    raw, left_out = parameters.collect(body.get("custom_parameters"))
    cut = ["custom_parameters"] if left_out else []

    def short(name: str, most: int) -> str:
        text = as_text(body.get(name))
        if len(text) > most:
            cut.append(name)
        return text[:most]

    said = media_format.get("sample_rate", body.get("sample_rate"))
    rate = parameters.rate(said)
    return Start(
        stream_sid=stream_sid,
        call_sid=short("call_sid", MOST_SID),
        leg_sid=short("leg_sid", MOST_SID),
        account_sid=short("account_sid", MOST_SID),
        from_=short("from", _MOST_NUMBER),
        to=short("to", _MOST_NUMBER),
        encoding=as_text(media_format.get("encoding", body.get("encoding")))[:_MOST_WORD],
        sample_rate=rate,
        custom_parameters=parameters.restore(raw),
        raw_parameters=raw,
        rate_said=repr(said)[:_MOST_WORD] if rate is None and said not in (None, "") else "",
        cut=tuple(cut),
    )


def _mark(frame: _Frame, stream_sid: str) -> Mark:
    name = as_text((frame.mark or {}).get("name")) or frame.name
    if not name:
        raise ProtocolFault("missing_field", "mark without mark.name")
    if len(name) > MOST_SID:
        raise _too_long("too_long", "mark.name", name)
    return Mark(stream_sid, name)


def _dtmf(frame: _Frame, stream_sid: str) -> Dtmf:
    body = frame.dtmf or {}
    digit = as_text(body.get("digit", frame.digit))
    if digit not in DTMF_DIGITS:
        raise ProtocolFault("bad_digit", f"dtmf digit {digit[:8]!r} is none of 0-9 * #")
    return Dtmf(stream_sid, digit, number(_scalar(body.get("duration", frame.duration))))


def _clear(_frame: _Frame, stream_sid: str) -> Clear:
    return Clear(stream_sid)


def _stop(stream_sid: str, body: dict[str, Any]) -> Stop:
    return Stop(stream_sid, as_text(body.get("reason"))[:_MOST_REASON], as_text(body.get("call_sid"))[:MOST_SID])


_READERS: Final[dict[str, Callable[[_Frame, str], Message]]] = {
    "connected": _connected,
    "mark": _mark,
    "dtmf": _dtmf,
    "clear": _clear,
}


def _too_long(kind: str, field: str, text: str) -> ProtocolFault:
    return ProtocolFault(kind, f"a {field} of {len(text)} characters, at most {MOST_SID} are taken")


def _scalar(value: object) -> Number:
    return value if isinstance(value, str | int | float) else None


def sample_rate(start: Start | None, query: Mapping[str, str]) -> int:
    """Return the stream's rate in Hz: from ``start.media_format``, else the URL's query, else custom parameters, else 8000.

    Exotel strips the query from real calls, so a rate read from the URL alone would give a wrong pitch.
    Rates other than 8000, 16000 and 24000 are ignored; `rates_unused` returns them.
    """
    said = [start.sample_rate if start else None, *map(parameters.rate, _rates(start, query))]
    return next((rate for rate in said if rate in SAMPLE_RATES), DEFAULT_SAMPLE_RATE)


def rates_unused(start: Start, query: Mapping[str, str]) -> list[str]:
    """Return the rates asked for, by ``start`` or else by the URL, that can't be read or are none of `SAMPLE_RATES`."""
    if start.rate_said:
        return [start.rate_said]
    if start.sample_rate is not None:
        return [] if start.sample_rate in SAMPLE_RATES else [str(start.sample_rate)]
    return [repr(said)[:_MOST_WORD] for said in _rates(start, query) if parameters.rate(said) not in SAMPLE_RATES]


def _rates(start: Start | None, query: Mapping[str, str]) -> list[str]:
    return parameters.rates(query) + parameters.rates(start.custom_parameters if start else {})


def rate_asked(query: Mapping[str, str], custom_parameters: Mapping[str, str]) -> int | None:
    """Return the rate in Hz that the applet's URL asks for, in its query or the parameters made of it; None without one."""
    said = map(parameters.rate, parameters.rates(query) + parameters.rates(custom_parameters))
    return next((rate for rate in said if rate is not None), None)


def audio_bytes(payload: str) -> int:
    """Return the bytes that a base64 text decodes to, computed from its length; an estimate for other texts."""
    return len(payload.rstrip("=")) * 3 // 4


class Writer:
    """Write the messages of one stream in the documented spelling.

    With ``number_frames``, media also carry ``sequence_number``, ``media.chunk`` and ``media.timestamp`` as strings. One
    vendor sample says that some flows need them; they are not required, and off by default.
    """

    def __init__(self, stream_sid: str, *, sample_rate: int = DEFAULT_SAMPLE_RATE, number_frames: bool = False) -> None:
        """Raises ValueError if ``stream_sid`` is empty: Exotel drops a message without it."""
        self.encoding = Encoding.PCM16
        """Encoding of the audio that is written; may be changed between two messages."""
        if not stream_sid:
            raise ValueError("stream_sid is empty")
        self._sid = json.dumps(stream_sid)
        self._media_head = f'{{"event":"media","stream_sid":{self._sid},"media":{{"payload":"'
        self._bytes_per_ms = sample_rate * 2 // 1000
        self._numbering = number_frames
        self._chunk = 0
        self._sent_bytes = 0

    def echo(self, media: Media) -> tuple[str, ...]:
        """Return the caller's own audio with its payload unchanged, in several messages if it exceeds the documented maximum."""
        payload = media.payload
        if media.fault or self._numbering or len(payload) > _PAYLOAD_MAX:
            return self._echo_rarer(payload, plain=not media.fault)
        return (f'{self._media_head}{payload}"}}}}',)

    def _echo_rarer(self, payload: str, *, plain: bool) -> tuple[str, ...]:
        """Echo a large or malformed payload; a malformed one may hold anything, so encode it as JSON to return it unchanged."""
        pieces = [payload[at : at + _PAYLOAD_MAX] for at in range(0, len(payload), _PAYLOAD_MAX)] or [""]
        texts = ((piece if plain else json.dumps(piece, ensure_ascii=False)[1:-1], audio_bytes(piece)) for piece in pieces)
        if self._numbering:
            return tuple(self._numbered(text, size) for text, size in texts)
        return tuple(f'{self._media_head}{text}"}}}}' for text, _ in texts)

    def audio(self, pcm: bytes) -> tuple[str, ...]:
        """Return ``pcm`` (PCM16 little-endian mono, any length) as media messages of at most `OUTPUT_MAX` bytes each."""
        audio = self.encoding.encode(pcm)
        pieces = (audio[at : at + OUTPUT_MAX] for at in range(0, len(audio), OUTPUT_MAX))
        encoded = ((binascii.b2a_base64(piece, newline=False).decode(), len(piece)) for piece in pieces)
        if self._numbering:
            return tuple(self._numbered(payload, size) for payload, size in encoded)
        return tuple(f'{self._media_head}{payload}"}}}}' for payload, _ in encoded)

    def _numbered(self, payload: str, size: int) -> str:
        self._chunk += 1
        at_ms = self._sent_bytes // self._bytes_per_ms
        self._sent_bytes += size * 2 // self.encoding.sample_bytes
        return (
            f'{{"event":"media","stream_sid":{self._sid},"sequence_number":"{self._chunk}",'
            f'"media":{{"chunk":"{self._chunk}","timestamp":"{at_ms}","payload":"{payload}"}}}}'
        )

    def mark(self, name: str) -> str:
        """Return a mark. Exotel sends it back once all audio before it has been played, sometimes late, sometimes never."""
        return f'{{"event":"mark","stream_sid":{self._sid},"mark":{{"name":{json.dumps(name)}}}}}'

    def clear(self) -> str:
        """Return the message that makes Exotel drop the audio it has not played yet."""
        return f'{{"event":"clear","stream_sid":{self._sid}}}'
