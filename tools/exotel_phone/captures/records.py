"""Define the capture format, live and saved: one JSON object a line.

{"type":"capture","version":1,"host":"vm-1","instance":"…","release":"…","time":1764000000.0,"audio":"keep","masked":false,…}
{"type":"open","at":1764000001.000123,"conn":"conn_…","remote":"203.0.113.9","rate_asked":"8000"}
{"type":"message","at":1764000001.000456,"conn":"conn_…","from":"exotel","text":"{\\"event\\":\\"connected\\"}\\n"}
{"type":"close","at":1764000009.1,"conn":"conn_…","ended":"stop","code":1006}
{"type":"end","at":1764000009.2,"complete":true,"why":"the call ended","messages":812,"calls":1}

A file is what a stranger sent us, written down: whoever prints a text of it uses `exotel_phone.text.printable`.
See docs/capture.md.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal, TypeAlias

import msgspec

from exotel_phone.exits import UsageFault
from exotel_phone.text import printable

VERSION: Final = 1
MAX_LINE: Final = 8 * 1024 * 1024
"""Bytes. A worker leaves out a text above 1 MiB, and JSON writes a character in at most six bytes."""

Audio: TypeAlias = Literal["keep", "noise", "omit"]
Side: TypeAlias = Literal["exotel", "server"]
Time: TypeAlias = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]
"""Unix seconds before the year 10000: of any of them there is a date, and between two of them a duration."""
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class CaptureFault(UsageFault):
    """Raised for a line that is no record; the text names file and line."""


class _Record(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower, omit_defaults=True, gc=False):
    """Fields with a default are left out of the line where they have it. Times are Unix seconds of one monotonic clock."""


class Capture(_Record, frozen=True, gc=True):
    """First line: the recorder, the time, the audio left out. ``filter`` names the calls that were asked for.

    ``parameters``: custom parameters were kept.
    """

    version: int
    host: str
    instance: str
    release: str
    at: Time = msgspec.field(name="time")
    audio: Audio
    masked: bool
    filter: dict[str, str | int] = {}
    parameters: bool = False


class Open(_Record, frozen=True):
    """A connection. ``joined``: it was open before the recording began, so its beginning is missing.

    The ids and numbers are known for a joined one only; they come with its ``start`` else. ``rate_asked`` is the URL's
    sample rate as it was written, "" where it asks for none. ``instance`` is the worker that has the call.
    """

    at: Time
    conn: str
    remote: str = ""
    rate_asked: str = ""
    instance: str = ""
    joined: bool = False
    call_sid: str = ""
    stream_sid: str = ""
    from_: str = msgspec.field(default="", name="from")
    to: str = ""


class Message(_Record, frozen=True):
    """One WebSocket message, ``text`` character by character as on the wire; base64 of it where ``binary``.

    ``omitted`` is the number of characters that were left away: of the audio, or of the whole text where it is empty.
    """

    at: Time
    conn: str
    from_: Side = msgspec.field(name="from")
    text: str
    binary: bool = False
    omitted: Count = 0


class Close(_Record, frozen=True):
    """End of a connection; ``ended`` is the server's name for how it ended.

    It is one of stop, no_stop, no_start, closed_by_client, closed_by_server, no_media.
    """

    at: Time
    conn: str
    ended: str
    code: int | None = None


class Gap(_Record, frozen=True, gc=True):
    """Loss of ``messages`` from ``at`` on, because the recorder read too slowly; ``conns`` counts them by connection."""

    at: Time
    messages: Count
    conns: dict[str, Count] = {}


class End(_Record, frozen=True):
    """Last line. ``complete``: every message of every call recorded is here; else ``why`` says what is missing.

    ``instance`` is the worker whose stream ends, where several are followed at once; "" in a file.
    """

    at: Time
    complete: bool
    why: str
    messages: Count
    calls: Count
    instance: str = ""


Record: TypeAlias = Capture | Open | Message | Close | Gap | End

_decode = msgspec.json.Decoder(Record).decode
_encode = msgspec.json.Encoder().encode


def parse(line: bytes) -> Record:
    """Parse one line, with or without its newline. Raises CaptureFault, without file and line."""
    try:
        record: Record = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CaptureFault(f"not a record of a capture: {printable(str(error))}") from None
    if isinstance(record, Capture) and record.version != VERSION:
        raise CaptureFault(f"capture format {record.version}, this exotelctl reads {VERSION}: use the one that wrote it")
    return record


def line(record: Record) -> bytes:
    """Return the record as a line, newline included."""
    return _encode(record) + b"\n"


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a file, an `End` always last: if the file has none, one that says it is incomplete.

    Raises CaptureFault, with file and line, for a line that is no record. A last line that was cut off is no fault.
    """
    try:
        with path.open("rb") as file:
            yield from _read(file, printable(str(path)))
    except OSError as error:
        raise CaptureFault(f"{printable(str(path))}: {error.strerror}") from None


def _read(file: BinaryIO, name: str) -> Iterator[Record]:
    at, messages, calls = 0.0, 0, 0
    why = "the file ends before the recording did"
    for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
        if not raw.endswith(b"\n"):
            if len(raw) >= MAX_LINE:
                raise CaptureFault(f"{name}, line {number}: longer than {MAX_LINE} bytes")
            why = f"the file ends in the middle of line {number}"
            break
        try:
            record = parse(raw)
            if (number == 1) != isinstance(record, Capture):
                raise CaptureFault("not a capture: it begins with another line" if number == 1 else "a second first line")
        except CaptureFault as fault:
            raise CaptureFault(f"{name}, line {number}: {fault}") from None
        yield record
        if isinstance(record, End):
            return
        at = record.at
        messages += isinstance(record, Message)
        calls += isinstance(record, Open)
    if not at:
        raise CaptureFault(f"{name}, line 1: not a capture: there is no whole line in it")
    yield End(at, False, why, messages, calls)
