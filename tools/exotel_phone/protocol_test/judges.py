"""Judge a server's answers. Pure; each function raises `Broken` for the first rule that an answer breaks."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from typing import Any

from exotel_phone.protocol_test.exchange import Broken, Exchange
from exotel_phone.text import plural, printable
from exotel_phone.wire import CHUNK_LEAST, CHUNK_MOST, CHUNK_UNIT

_BODY_KEYS = {"media": {"payload", "chunk", "timestamp"}, "mark": {"name"}, "clear": set[str]()}
"""The events that Exotel takes, with the documented keys of their bodies."""
_HEAD_KEYS = {"event", "stream_sid", "sequence_number"}
_PACE = 0.8
"""Share of real time between audio of the right rate and of half of it; a bot sends some of it ahead."""
_CAMEL_CASE = {"streamSid": "stream_sid", "sequenceNumber": "sequence_number"}


def silence(what: str, exchange: Exchange) -> None:
    """Require that nothing answers ``what`` and that the connection stays open."""
    if exchange.received:
        said = _kind(exchange.received[0])
        raise Broken("answered", f"{what} was answered with {said}; Exotel expects no answer to it")
    _require_open(what, exchange)


def echo(stream_sid: str, frames: Sequence[bytes], exchange: Exchange) -> None:
    """Require that each of ``frames`` (PCM16LE) comes back once, unchanged and in order, in the documented form."""
    _compare(frames, [_audio(_form(message, "media", stream_sid)) for message in exchange.received])
    _require_answers(len(frames), "media", exchange)
    if len(exchange.received) > len(frames):
        cause = f"{plural(len(exchange.received), 'answer')} to {plural(len(frames), 'frame')}: the caller hears audio twice"
        raise Broken("surplus", cause)


def mark_once(stream_sid: str, name: str, exchange: Exchange) -> None:
    """Require exactly one mark of the same name as the answer to a mark."""
    _require_answers(1, "mark", exchange)
    for message in exchange.received:
        said = _form(message, "mark", stream_sid).get("name")
        if said != name:
            raise Broken("mark-name", f"the mark came back as {printable(str(said), 60)!r}, it was sent as {name!r}")
    if len(exchange.received) > 1:
        count = len(exchange.received)
        raise Broken("mark-loop", f"{count} answers to one mark; more than one is the beginning of an endless loop")


def mark_not_again(name: str, exchange: Exchange) -> None:
    """Require that the same mark is not answered a second time."""
    if exchange.received:
        said = _kind(exchange.received[0])
        cause = f"mark {name!r} was answered again with {said}: two such peers send marks to each other for ever"
        raise Broken("mark-loop", cause)
    _require_open("a repeated mark", exchange)


def speaks(stream_sid: str, rate: int, exchange: Exchange) -> None:
    """Require audio (PCM16LE at ``rate`` Hz) in messages that Exotel can play, as fast as it is heard."""
    sizes = [len(_audio(body)) for event, body in _said_by_bot(stream_sid, exchange) if event == "media"]
    if not sizes:
        _require_open("start", exchange)
        raise Broken("mute", f"the bot said nothing within {exchange.patience_s:g} s")
    for size in sizes:
        if size % CHUNK_UNIT:
            raise Broken("chunk-size", f"a message holds {size} bytes of audio, no multiple of {CHUNK_UNIT}: gaps are heard")
        if not CHUNK_LEAST <= size <= CHUNK_MOST:
            raise Broken("chunk-size", f"a message holds {size} bytes of audio; Exotel plays from {CHUNK_LEAST} to {CHUNK_MOST}")
    heard_s, span_s = sum(sizes) / (rate * 2), exchange.span_s
    if heard_s < span_s * _PACE:
        cause = (
            f"{heard_s:.1f} s of audio came in {span_s:.1f} s, if it is of {rate} Hz: gaps are heard, or it is of another rate"
        )
        raise Broken("slow", cause)


def bears(stream_sid: str, what: str, exchange: Exchange) -> None:
    """Require that the connection stays open after ``what`` and that messages are as documented; the bot may go on talking."""
    for _ in _said_by_bot(stream_sid, exchange):
        pass
    _require_open(what, exchange)


def nothing_after_stop(exchange: Exchange) -> None:
    """Require that nothing is sent after ``stop``. The server may close the connection."""
    if exchange.received:
        said = _kind(exchange.received[0])
        cause = f"the server sent {said} after stop; the stream is over, nothing can be played any more"
        raise Broken("sent-after-stop", cause)


def _said_by_bot(stream_sid: str, exchange: Exchange) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield the event and the body of each message; each must be of a kind that Exotel takes, in the documented form."""
    for message in exchange.received:
        event = event_of(message)
        yield event, _form(message, event if event in _BODY_KEYS else "media", stream_sid)


def _form(message: str | bytes, event: str, stream_sid: str) -> dict[str, Any]:
    """Return the body of a message of kind ``event``, which must have the documented form."""
    frame = _object(message)
    if frame.get("event") != event:
        raise Broken("wrong-event", f"{_kind(message)} came where {event} was expected")
    for camel, snake in _CAMEL_CASE.items():
        if camel in frame:
            raise Broken("camel-case", f"the answer has {camel} (camelCase), Exotel reads only {snake}: rename the key")
    if "stream_sid" not in frame:
        raise Broken("no-stream-sid", f"the answer has no stream_sid: {printable(str(sorted(frame)), 80)}")
    if frame["stream_sid"] != stream_sid:
        said = printable(str(frame["stream_sid"]), 60)
        raise Broken("stream-sid", f"stream_sid is {said!r}, this stream is {stream_sid!r}: the audio reaches another call")
    body = frame.get(event, None if _BODY_KEYS[event] else {})
    if not isinstance(body, dict):
        raise Broken("no-body", f"the answer has no object {event!r}")
    surplus = sorted((frame.keys() - _HEAD_KEYS - {event}) | (body.keys() - _BODY_KEYS[event]))
    if surplus:
        raise Broken("unknown-key", f"the answer has keys that no document knows: {printable(', '.join(surplus), 80)}")
    return body


def _object(message: str | bytes) -> dict[str, Any]:
    if isinstance(message, bytes):
        raise Broken("binary", f"a binary message of {len(message)} bytes; Exotel speaks JSON in text messages")
    try:
        frame = json.loads(message)
    except ValueError as error:
        raise Broken("not-json", f"the answer is not JSON ({error}): {printable(message, 60)!r}") from None
    if not isinstance(frame, dict):
        raise Broken("not-json", f"the answer is no JSON object: {printable(message, 60)!r}")
    return frame


def event_of(message: str | bytes) -> str | None:
    """Return the event that a message names; None if it is no JSON object or names none."""
    try:
        event = _object(message).get("event")
    except Broken:
        return None
    return event if isinstance(event, str) else None


def _kind(message: str | bytes) -> str:
    """Return a message in a few words, for a sentence."""
    event = event_of(message)
    return "a message that names no event" if event is None else f"an event {printable(event, 30)!r}"


def _audio(media: dict[str, Any]) -> bytes:
    payload = media.get("payload")
    if not isinstance(payload, str):
        raise Broken("no-payload", "the answer has no media.payload")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Broken("not-base64", f"media.payload is not base64: {error}") from None


def _compare(sent: Sequence[bytes], received: Sequence[bytes]) -> None:
    for number, (want, got) in enumerate(zip(sent, received, strict=False), 1):
        if got == want:
            continue
        if got in sent:
            came = sent.index(got) + 1
            raise Broken("order", f"frame {came} came back where frame {number} was due: echo in the order of arrival")
        if len(got) != len(want):
            raise Broken("altered", f"{len(got)} bytes came back for {len(want)}: echo each payload as it came")
        at = next(index for index, (a, b) in enumerate(zip(want, got, strict=True)) if a != b)
        cause = f"the audio came back altered, first at byte {at} of {len(want)}: echo the payload text, do not re-encode it"
        raise Broken("altered", cause)


def _require_answers(wanted: int, event: str, exchange: Exchange) -> None:
    have = len(exchange.received)
    if have < wanted:
        _require_open(event, exchange)
        of = f"{have} of {wanted} answers" if have else "no answer"
        raise Broken("no-answer", f"{of} to {event} within {exchange.patience_s:g} s")


def _require_open(what: str, exchange: Exchange) -> None:
    if exchange.closed:
        raise Broken("closed", f"the server closed the connection {exchange.closed} on {what}")
