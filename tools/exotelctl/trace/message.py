"""One message of a stream, read for people: what it is, in a few words, and what is wrong with it. Pure.

What is said of a message leaves out what nobody needs on a screen: the middle of a caller's number, unless numbers are asked
for, and the values of custom parameters, always: a credential may be among them.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from exotel_phone.captures.records import Message
from exotel_phone.text import printable
from exotel_ws.mask import masked

Document = dict[str, Any]

FROM_EXOTEL: Final = frozenset({"connected", "start", "media", "mark", "dtmf", "clear", "stop"})
FROM_SERVER: Final = frozenset({"media", "mark", "clear"})
OUTPUT_UNIT: Final = 320
"""Bytes. Output that is not a multiple of this makes the platform wait: an audible gap."""

_CAMEL: Final = re.compile(r"[a-z]+[A-Z]")
_LONG_NUMBER: Final = re.compile(r"\d{7,}")
_NUMBERS: Final = ("from", "to")
_RATE_KEYS: Final = ("sample-rate", "sample_rate")
_PAYLOAD_SHOWN: Final = 24
_WORD: Final = 40
_decode: Final = msgspec.json.Decoder().decode


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Kind of a message, and its faults.

    ``kind`` is the event, or ``malformed``, ``binary``, ``unknown``, or ``left out`` where the capture has no text of it.
    """

    kind: str
    faults: tuple[str, ...] = ()
    audio_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a call as text, "" where it is not known. ``rate`` in Hz."""

    call_sid: str = ""
    stream_sid: str = ""
    number_from: str = ""
    number_to: str = ""
    rate: str = ""


def decode(text: str) -> Document | None:
    """The JSON object that ``text`` is, None where it is none."""
    try:
        document = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return document if isinstance(document, dict) else None


def examine(document: Document | None, record: Message) -> Seen:
    """Return the kind of this message, and its faults as far as it shows them by itself. ``document`` is its text decoded."""
    if record.binary:
        return Seen("binary", ("binary message",))
    if document is None and record.omitted:
        return Seen("left out")
    if document is None:
        return Seen("malformed", ("not a JSON object",))
    event = document.get("event")
    if not isinstance(event, str):
        return Seen("malformed", ("no event",))
    faults = [f"camelCase {name}" for name in _camel_names(document)]
    if event not in (FROM_EXOTEL if record.from_ == "exotel" else FROM_SERVER):
        return Seen("unknown", ("unknown event", *faults))
    if event != "media":
        return Seen(event, tuple(faults))
    size = audio_bytes(document, record.omitted)
    if not size:
        faults.append("no audio")
    elif record.from_ == "server" and size % OUTPUT_UNIT:
        faults.append(f"{size} bytes, not a multiple of {OUTPUT_UNIT}")
    return Seen(event, tuple(faults), size)


def audio_bytes(document: Document, omitted: int = 0) -> int:
    """Bytes of PCM in a media message; where the payload was omitted: exact for multiples of 320, else within 2."""
    if not omitted:
        payload = payload_of(document)
        return len(payload) * 3 // 4 - payload[-2:].count("=")
    size = omitted * 3 // 4 // 2 * 2
    return size - size % OUTPUT_UNIT if size % OUTPUT_UNIT <= 2 else size


def payload_of(document: Document) -> str:
    """The base64 text of a media message, "" where there is none."""
    payload = _part(document, "media").get("payload")
    return payload if isinstance(payload, str) else ""


def stream_sid(document: Document) -> str:
    """The stream that a message belongs to, in either spelling, at the top or inside ``start``."""
    return _sid(document) or _sid(_part(document, "start"))


def identity(document: Document) -> Identity:
    """Return what a start message says of the call."""
    body = _part(document, "start")
    call_sid, number_from, number_to = (_text(body.get(name)) for name in ("call_sid", *_NUMBERS))
    return Identity(call_sid, stream_sid(document), number_from, number_to, _text(_part(body, "media_format").get("sample_rate")))


def stop_reason(document: Document) -> str:
    """Return the reason of a stop message: opaque text."""
    return _text(_part(document, "stop").get("reason"))


def label(document: Document | None, record: Message, *, unmasked: bool = False) -> str:
    """The message in a few words, fit for a terminal."""
    event = None if document is None else document.get("event")
    if document is None and record.omitted:
        return f"({record.omitted} characters left out of this capture)"
    if document is None or not isinstance(event, str):
        return raw(record.text, unmasked=unmasked, limit=_WORD) or "(empty)"
    said = _words(document, event, record.omitted, unmasked)
    return f"{printable(event, _WORD)}{' ' * bool(said)}{said}"


def raw(text: str, *, unmasked: bool = False, limit: int = 4000) -> str:
    """Text that is no message of the protocol, fit for a terminal; what looks like a number in it is masked."""
    shown = text if unmasked else _LONG_NUMBER.sub(lambda found: masked(found[0]), text)
    return printable(shown.strip(), limit)


def _words(document: Document, event: str, omitted: int, unmasked: bool) -> str:
    body = _part(document, event)
    if event == "media":
        return f"{audio_bytes(document, omitted)} bytes" + _where(body)
    if event == "start":
        who = identity(document)
        numbers = " → ".join(shown_number(number, unmasked) or "?" for number in (who.number_from, who.number_to))
        return f"{printable(who.rate, 10) or '?'} Hz, {numbers}"
    for name, found in (("mark", body.get("name", document.get("name"))), ("dtmf", body.get("digit", document.get("digit")))):
        if event == name:
            return printable(_text(found), _WORD)
    return printable(stop_reason(document), _WORD) if event == "stop" else ""


def _where(body: Document) -> str:
    chunk, timestamp = _text(body.get("chunk")), _text(body.get("timestamp"))
    return (f", chunk {printable(chunk, 12)}" if chunk else "") + (f", {printable(timestamp, 12)} ms" if timestamp else "")


def shown_number(number: str, unmasked: bool) -> str:
    """A caller's number as it may be shown; one that the recording has masked already stays as it is."""
    return printable(number if unmasked or not number.strip("+x") else masked(number), _WORD)


def pretty(document: Document, *, omitted: int = 0, unmasked: bool = False) -> list[str]:
    """The message as indented JSON, a line an item: payload shortened, secrets and numbers hidden, fit for a terminal."""
    lines = json.dumps(_hidden(document, omitted, unmasked), indent=2, ensure_ascii=False).splitlines()
    return [printable(line, 500) for line in lines]


def _hidden(document: Document, omitted: int, unmasked: bool) -> Document:
    shown = dict(document)
    media, start = document.get("media"), document.get("start")
    if isinstance(media, dict) and (omitted or isinstance(media.get("payload"), str)):
        shown["media"] = {**media, "payload": _short(payload_of(document), omitted)}
    if isinstance(start, dict):
        shown["start"] = {name: _hidden_fact(name, value, unmasked) for name, value in start.items()}
    return shown


def _short(payload: str, omitted: int) -> str:
    if omitted:
        return f"({omitted} characters left out of this capture)"
    if len(payload) <= _PAYLOAD_SHOWN:
        return payload
    return f"{payload[:_PAYLOAD_SHOWN]}… ({len(payload)} characters)"


def _hidden_fact(name: str, value: object, unmasked: bool) -> object:
    if name in _NUMBERS:
        return shown_number(_text(value), unmasked)
    if name in ("custom_parameters", "customParameters"):
        # Exotel mangles a query at times into one key that holds it all: the value is in the key then.
        pairs = value.items() if isinstance(value, dict) else [(_text(value), "")]
        return {re.split("[:=&]", str(key))[0]: _hidden_parameter(str(key), _text(said)) for key, said in pairs}
    return value


def _hidden_parameter(key: str, value: str) -> str:
    if key in _RATE_KEYS:
        return value
    return f"(hidden, {len(value) or len(key)} characters)"


def _camel_names(document: Document) -> Iterator[str]:
    """The names in camelCase at the top and one level below; what an applet's author calls a parameter is his own."""
    for name, value in document.items():
        if _CAMEL.match(name):
            yield printable(name, _WORD)
        if isinstance(value, dict) and name not in ("custom_parameters", "customParameters"):
            yield from (printable(inner, _WORD) for inner in value if _CAMEL.match(inner))


def _part(document: Document, name: str) -> Document:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _sid(document: Document) -> str:
    return _text(document.get("stream_sid") or document.get("streamSid"))


def _text(value: object) -> str:
    """A scalar as text; "" for anything else, so that nothing odd in a message can upset its reader."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value)
