"""Hold the calls of a saved capture, each with all of its messages."""

import binascii
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from exotel_phone.captures import records
from exotel_phone.captures.records import Capture, Close, End, Gap, Message, Open, Record, Side
from exotel_phone.exits import UsageFault
from exotel_phone.text import plural, printable

_decode: Final = msgspec.json.Decoder().decode


@dataclasses.dataclass(slots=True)
class Call:
    """One connection. ``ids`` are those of its start (stream_sid, call_sid, leg_sid, account_sid), "" before it.

    ``lost`` is the number of messages that are known to be missing.
    """

    opening: Open
    messages: list[Message] = dataclasses.field(default_factory=list)
    close: Close | None = None
    lost: int = 0
    ids: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the id to show, fit for a terminal."""
        return printable(self.ids.get("call_sid") or self.ids.get("stream_sid") or self.opening.conn, 60)

    @property
    def missing(self) -> str:
        """Return what is missing of the call, in words; "" if nothing is."""
        doubts = ["its beginning"] if self.opening.joined else []
        doubts += [plural(self.lost, "message")] if self.lost else []
        doubts += ["its end"] if self.close is None else []
        return " and ".join(doubts)

    def of(self, side: Side) -> list[Message]:
        """Return the messages of one direction."""
        return [message for message in self.messages if message.from_ == side]

    def take(self, message: Message) -> None:
        """Add a message."""
        self.messages.append(message)
        if "stream_sid" not in self.ids and message.from_ == "exotel":
            self.ids |= start_ids(message)


@dataclasses.dataclass(slots=True)
class Recording:
    """A capture: its first line, its calls in the order of their opening, its last line."""

    head: Capture
    calls: list[Call]
    end: End


def load(path: Path) -> Recording:
    """Read a capture. Raises CaptureFault."""
    return gather(records.read(path))


def gather(lines: Iterable[Record]) -> Recording:
    """Return the calls of records that begin with a `Capture` and end with an `End`."""
    found: dict[str, Call] = {}
    head: Capture | None = None
    end: End | None = None
    for record in lines:
        match record:
            case Capture():
                head = record
            case Open():
                known = {"call_sid": record.call_sid, "stream_sid": record.stream_sid}
                found[record.conn] = Call(record, ids={key: value for key, value in known.items() if value})
            case Message():
                _call(found, record.conn, record.at).take(record)
            case Close():
                _call(found, record.conn, record.at).close = record
            case Gap():
                for conn, messages in record.conns.items():
                    _call(found, conn, record.at).lost += messages
            case End():
                end = record
    assert head is not None, "records.read begins with one"
    assert end is not None, "records.read ends with one"
    return Recording(head, list(found.values()), end)


def _call(found: dict[str, Call], conn: str, at: float) -> Call:
    """Return the call of a connection; treat one whose opening was lost as joined."""
    if conn not in found:
        found[conn] = Call(Open(at, conn, joined=True))
    return found[conn]


def choose(recording: Recording, name: str, path: Path) -> Call:
    """Return the call of this id (call_sid, stream_sid or connection), or the only one. Raises UsageFault with their names."""
    fitting = [call for call in recording.calls if not name or name in (call.opening.conn, *call.ids.values())]
    if len(fitting) == 1:
        return fitting[0]
    file = printable(str(path))
    if not recording.calls:
        raise UsageFault(f"{file} holds no call: {printable(recording.end.why)}")
    there = ", ".join(f"{call.name} ({printable(call.opening.conn, 40)})" for call in recording.calls[:10])
    said = f"{file} holds {plural(len(recording.calls), 'call')}" + (
        f", {len(fitting)} of them {printable(name)!r}" if name else ""
    )
    raise UsageFault(f"{said}: name one by --call, by its connection where that is not enough: {there}")


def start_ids(message: Message) -> dict[str, str]:
    """Return the ids of a start message; empty for any other."""
    if message.binary or "start" not in message.text[:300]:
        return {}
    document = document_of(message.text)
    start = document.get("start")
    if document.get("event") != "start" or not isinstance(start, dict):
        return {}
    ids = {key: start.get(key) for key in ("stream_sid", "call_sid", "leg_sid", "account_sid")}
    ids["stream_sid"] = document.get("stream_sid") or ids["stream_sid"] or document.get("streamSid") or start.get("streamSid")
    return {key: value for key, value in ids.items() if isinstance(value, str) and value}


def document_of(text: str) -> dict[str, Any]:
    """Return a message as JSON; empty if it is no JSON object."""
    return decode(text) or {}


def decode(text: str) -> dict[str, Any] | None:
    """Return the JSON object that ``text`` is, None if it is none."""
    try:
        document = _decode(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def kind_of(message: Message) -> str:
    """Return the event of a message; ``binary``, ``malformed`` or ``left out`` if there is none to read."""
    if message.binary:
        return "binary"
    if not message.text and message.omitted:
        return "left out"
    if message.text.startswith('{"event":"media",'):
        return "media"
    event = document_of(message.text).get("event")
    return event if isinstance(event, str) else "malformed"


def audio_of(message: Message) -> bytes | None:
    """Return the PCM in a media message; None if there is none, or it is no base64."""
    media = document_of(message.text).get("media")
    payload = media.get("payload") if isinstance(media, dict) else None
    if not isinstance(payload, str) or message.omitted:
        return None
    try:
        return binascii.a2b_base64(payload, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
