"""One message of a stream, read for people: what it is, in a few words, and what is wrong with it. Pure.

What is said of a message leaves out what nobody needs on a screen: the middle of a caller's number, unless numbers are asked
for, and the values of custom parameters, always: a credential may be among them.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from exotel_phone.captures.records import Message, Side
from exotel_phone.text import printable
from exotel_ws import protocol
from exotel_ws.mask import masked
from exotel_ws.parameters import as_text, is_rate

Document = dict[str, Any]

OUTPUT_UNIT: Final = 320
"""Bytes. Output that is not a multiple of this makes the platform wait: an audible gap."""

_EVENTS: Final[dict[Side, frozenset[str]]] = {
    "exotel": frozenset({"connected", "start", "media", "mark", "dtmf", "clear", "stop"}),
    "server": frozenset({"media", "mark", "clear"}),
}
_PARAMETERS: Final = ("custom_parameters", "customParameters")
_CAMEL: Final = re.compile(r"[a-z]+[A-Z]")
_LONG_NUMBER: Final = re.compile(r"\d{7,}")
_PAYLOAD_SHOWN: Final = 24
_WORD: Final = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Kind of a message, and its faults.

    ``kind`` is the event, or ``malformed``, ``binary``, ``unknown``, or ``left out`` where the capture has no text of it.
    """

    kind: str
    faults: list[str] = dataclasses.field(default_factory=list)
    audio_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a call as text, "" where it is not known. ``rate`` in Hz, ``encoding`` as ``start`` says it."""

    call_sid: str = ""
    stream_sid: str = ""
    number_from: str = ""
    number_to: str = ""
    rate: str = ""
    encoding: str = ""


def examine(document: Document | None, record: Message) -> Seen:
    """Return the kind of this message, and its faults as far as it shows them by itself. ``document`` is its text decoded."""
    if record.binary:
        return Seen("binary", ["binary message"])
    if document is None and record.omitted:
        return Seen("left out")
    if document is None:
        return Seen("malformed", ["not a JSON object"])
    event = document.get("event")
    if not isinstance(event, str):
        return Seen("malformed", ["no event"])
    faults = [f"camelCase {name}" for name in _camel_names(document)]
    if event not in _EVENTS[record.from_]:
        return Seen("unknown", ["unknown event", *faults])
    if event != "media":
        return Seen(event, faults)
    size = audio_bytes(document, record.omitted)
    if not size:
        faults.append("no audio")
    elif record.from_ == "server" and size % OUTPUT_UNIT:
        faults.append(f"{size} bytes, not a multiple of {OUTPUT_UNIT}")
    return Seen(event, faults, size)


def audio_bytes(document: Document, omitted: int = 0) -> int:
    """Return the bytes of PCM in a media message; if the payload was omitted: exact for multiples of 320, else within 2."""
    if not omitted:
        return protocol.audio_bytes(payload_of(document))
    size = omitted * 3 // 4 // 2 * 2
    return size - size % OUTPUT_UNIT if size % OUTPUT_UNIT <= 2 else size


def payload_of(document: Document) -> str:
    """Return the base64 text of a media message, "" if there is none."""
    payload = _part(document, "media").get("payload")
    return payload if isinstance(payload, str) else ""


def stream_sid(document: Document) -> str:
    """Return the stream that a message belongs to, in either spelling, at the top or inside ``start``."""
    parts = (document, _part(document, "start"))
    return next((sid for part in parts if (sid := as_text(part.get("stream_sid") or part.get("streamSid")))), "")


def identity(document: Document) -> Identity:
    """Return what a start message says of the call."""
    body = _part(document, "start")
    call_sid, number_from, number_to = (as_text(body.get(name)) for name in ("call_sid", "from", "to"))
    rate, encoding = (as_text(_part(body, "media_format").get(name)) for name in ("sample_rate", "encoding"))
    return Identity(call_sid, stream_sid(document), number_from, number_to, rate, encoding)


def stop_reason(document: Document) -> str:
    """Return the reason of a stop message: opaque text."""
    return as_text(_part(document, "stop").get("reason"))


def label(document: Document | None, record: Message, *, unmasked: bool = False) -> str:
    """Return the message in a few words, fit for a terminal."""
    event = None if document is None else document.get("event")
    if document is None and record.omitted:
        return _left_out(record.omitted)
    if document is None or not isinstance(event, str):
        return raw(record.text, unmasked=unmasked, limit=_WORD) or "(empty)"
    said = _words(document, event, record.omitted, unmasked)
    return f"{printable(event, _WORD)}{' ' * bool(said)}{said}"


def raw(text: str, *, unmasked: bool = False, limit: int = 4000) -> str:
    """Return text that is no message of the protocol, fit for a terminal; what looks like a number in it is masked."""
    shown = text if unmasked else _LONG_NUMBER.sub(lambda found: masked(found[0]), text)
    return printable(shown.strip(), limit)


def numbers(number_from: str, number_to: str, *, unmasked: bool) -> str:
    """Return who calls whom, as it may be shown."""
    return " → ".join(shown_number(number, unmasked) or "?" for number in (number_from, number_to))


def shown_number(number: str, unmasked: bool) -> str:
    """Return a caller's number as it may be shown; one that the recording has masked already stays as it is."""
    return printable(number if unmasked or not number.strip("+x") else masked(number), _WORD)


def _words(document: Document, event: str, omitted: int, unmasked: bool) -> str:
    body = _part(document, event)
    match event:
        case "media":
            chunk, timestamp = (printable(as_text(body.get(name)), 12) for name in ("chunk", "timestamp"))
            words = [f"{audio_bytes(document, omitted)} bytes"]
            words += [f"chunk {chunk}"] if chunk else []
            return ", ".join([*words, f"{timestamp} ms"] if timestamp else words)
        case "start":
            who = identity(document)
            return f"{printable(who.rate, 10) or '?'} Hz, {numbers(who.number_from, who.number_to, unmasked=unmasked)}"
        case "mark":
            return printable(as_text(body.get("name", document.get("name"))), _WORD)
        case "dtmf":
            return printable(as_text(body.get("digit", document.get("digit"))), _WORD)
        case "stop":
            return printable(stop_reason(document), _WORD)
    return ""


def pretty(document: Document, *, omitted: int = 0, unmasked: bool = False) -> list[str]:
    """Return the message as indented JSON, a line an item: payload shortened, secrets and numbers hidden, fit for a terminal."""
    shown = dict(document)
    media, start = document.get("media"), document.get("start")
    if isinstance(media, dict) and (omitted or isinstance(media.get("payload"), str)):
        shown["media"] = {**media, "payload": _left_out(omitted) if omitted else _short(payload_of(document))}
    if isinstance(start, dict):
        shown["start"] = {name: _hidden(name, value, unmasked) for name, value in start.items()}
    return [printable(line, 500) for line in json.dumps(shown, indent=2, ensure_ascii=False).splitlines()]


def _left_out(omitted: int) -> str:
    return f"({omitted} characters left out of this capture)"


def _short(payload: str) -> str:
    return payload if len(payload) <= _PAYLOAD_SHOWN else f"{payload[:_PAYLOAD_SHOWN]}… ({len(payload)} characters)"


def _hidden(name: str, value: object, unmasked: bool) -> object:
    """Return a field of ``start`` as it may be shown."""
    if name in ("from", "to"):
        return shown_number(as_text(value), unmasked)
    if name not in _PARAMETERS:
        return value
    # Exotel mangles a query at times into one key that holds it all: the value is in the key then.
    pairs = value.items() if isinstance(value, dict) else [(as_text(value), "")]
    return {re.split("[:=&]", key)[0]: _hidden_parameter(key, as_text(said)) for key, said in pairs}


def _hidden_parameter(key: str, value: str) -> str:
    return value if is_rate(key) else f"(hidden, {len(value) or len(key)} characters)"


def _camel_names(document: Document) -> Iterator[str]:
    """Yield the names in camelCase at the top and one level below; what an applet's author calls a parameter is his own."""
    for name, value in document.items():
        if _CAMEL.match(name):
            yield printable(name, _WORD)
        if isinstance(value, dict) and name not in _PARAMETERS:
            yield from (printable(inner, _WORD) for inner in value if _CAMEL.match(inner))


def _part(document: Document, name: str) -> Document:
    part = document.get(name)
    return part if isinstance(part, dict) else {}
