"""Judge a server's answers. Pure; each function returns None (pass) or a `Finding`."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from exotel_phone.protocol_test.exchange import Exchange, Finding, Judge
from exotel_phone.text import plural, printable

_BODY_KEYS = {"media": {"payload", "chunk", "timestamp"}, "mark": {"name"}, "clear": set[str]()}
"""The events that Exotel takes, with the documented keys of their bodies."""
_HEAD_KEYS = {"event", "stream_sid", "sequence_number"}
_UNIT, _LEAST, _MOST = 320, 3200, 100_000
"""Bytes of audio in one message that Exotel plays without a gap: a multiple, at least, at most."""
_PACE = 0.8
"""Of real time, between audio of the right rate and of half of it; a bot sends some of it ahead."""
_CAMEL_CASE = {"streamSid": "stream_sid", "sequenceNumber": "sequence_number"}


def silence(what: str) -> Judge:
    """Require that nothing answers ``what`` and that the connection stays open."""

    def judge(exchange: Exchange) -> Finding | None:
        if exchange.received:
            said = _kind(exchange.received[0])
            return Finding("answered", f"{what} was answered with {said}; Exotel expects no answer to it")
        return _closed(exchange, what)

    return judge


def echo(stream_sid: str, frames: Sequence[bytes]) -> Judge:
    """Require that each of ``frames`` (PCM16LE) comes back once, unchanged and in order, in the documented form."""

    def judge(exchange: Exchange) -> Finding | None:
        pcm: list[bytes] = []
        for message in exchange.received:
            body = _form(message, "media", stream_sid)
            if isinstance(body, Finding):
                return body
            piece = _decode(body.get("payload"))
            if isinstance(piece, Finding):
                return piece
            pcm.append(piece)
        return _compare(frames, pcm) or _missing(exchange, len(frames), "media") or _surplus(exchange, len(frames))

    return judge


def mark_once(stream_sid: str, name: str) -> Judge:
    """Require exactly one mark of the same name as the answer to a mark."""

    def judge(exchange: Exchange) -> Finding | None:
        missing = _missing(exchange, 1, "mark")
        if missing:
            return missing
        for message in exchange.received:
            body = _form(message, "mark", stream_sid)
            if isinstance(body, Finding):
                return body
            if body.get("name") != name:
                said = printable(str(body.get("name")), 60)
                return Finding("mark-name", f"the mark came back as {said!r}, it was sent as {name!r}")
        if len(exchange.received) > 1:
            count = len(exchange.received)
            return Finding("mark-loop", f"{count} answers to one mark; more than one is the beginning of an endless loop")
        return None

    return judge


def mark_not_again(name: str) -> Judge:
    """Require that the same mark is not answered a second time."""

    def judge(exchange: Exchange) -> Finding | None:
        if exchange.received:
            said = _kind(exchange.received[0])
            cause = f"mark {name!r} was answered again with {said}: two such peers send marks to each other for ever"
            return Finding("mark-loop", cause)
        return _closed(exchange, "a repeated mark")

    return judge


def speaks(stream_sid: str, rate: int) -> Judge:
    """Require audio (PCM16LE at ``rate`` Hz) in messages that Exotel can play, as fast as it is heard."""

    def judge(exchange: Exchange) -> Finding | None:
        sizes: list[int] = []
        for message in exchange.received:
            event = event_of(message)
            body = _form(message, event if event in _BODY_KEYS else "media", stream_sid)
            piece = body if isinstance(body, Finding) else _decode(body.get("payload")) if event == "media" else b""
            if isinstance(piece, Finding):
                return piece
            if event == "media":
                sizes.append(len(piece))
        if not sizes:
            return _closed(exchange, "start") or Finding("mute", f"the bot said nothing within {exchange.patience_s:g} s")
        return next(filter(None, map(_size, sizes)), None) or _slow(sizes, rate, exchange.span_s)

    return judge


def bears(stream_sid: str, what: str) -> Judge:
    """Require that the connection stays open after ``what`` and that messages are as documented; the bot may go on talking."""

    def judge(exchange: Exchange) -> Finding | None:
        for message in exchange.received:
            event = event_of(message)
            body = _form(message, event if event in _BODY_KEYS else "media", stream_sid)
            if isinstance(body, Finding):
                return body
        return _closed(exchange, what)

    return judge


def nothing_after_stop(exchange: Exchange) -> Finding | None:
    """Require that nothing is sent after ``stop``. The server may close the connection."""
    if not exchange.received:
        return None
    said = _kind(exchange.received[0])
    return Finding("sent-after-stop", f"the server sent {said} after stop; the stream is over, nothing can be played any more")


def health(status: int, body: str) -> Finding | None:
    """Require that HTTP ``/health`` on the same host and port says ok."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if status == 200 and isinstance(said, dict) and said.get("status") == "ok":
        return None
    return Finding("unhealthy", f"/health says HTTP {status} {printable(body, 80)!r}, not 200 with status ok")


def mode(body: str) -> str:
    """Return the mode that ``/health`` names; empty if it names none, as other makers' servers do."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get("mode", "")) if isinstance(said, dict) else ""


def _form(message: str | bytes, event: str, stream_sid: str) -> dict[str, Any] | Finding:
    """Return the body of a message of kind ``event`` in the documented form, or what is wrong with its form."""
    frame = _object(message)
    if isinstance(frame, Finding):
        return frame
    if frame.get("event") != event:
        return Finding("wrong-event", f"{_kind(message)} came where {event} was expected")
    for camel, snake in _CAMEL_CASE.items():
        if camel in frame:
            return Finding("camel-case", f"the answer has {camel} (camelCase), Exotel reads only {snake}: rename the key")
    if "stream_sid" not in frame:
        return Finding("no-stream-sid", f"the answer has no stream_sid: {printable(str(sorted(frame)), 80)}")
    if frame["stream_sid"] != stream_sid:
        said = printable(str(frame["stream_sid"]), 60)
        return Finding("stream-sid", f"stream_sid is {said!r}, this stream is {stream_sid!r}: the audio reaches another call")
    body = frame.get(event, None if _BODY_KEYS[event] else {})
    if not isinstance(body, dict):
        return Finding("no-body", f"the answer has no object {event!r}")
    surplus = sorted((frame.keys() - _HEAD_KEYS - {event}) | (body.keys() - _BODY_KEYS[event]))
    if surplus:
        return Finding("unknown-key", f"the answer has keys that no document knows: {printable(', '.join(surplus), 80)}")
    return body


def _object(message: str | bytes) -> dict[str, Any] | Finding:
    if isinstance(message, bytes):
        return Finding("binary", f"a binary message of {len(message)} bytes; Exotel speaks JSON in text messages")
    try:
        frame = json.loads(message)
    except ValueError as error:
        return Finding("not-json", f"the answer is not JSON ({error}): {printable(message, 60)!r}")
    if not isinstance(frame, dict):
        return Finding("not-json", f"the answer is no JSON object: {printable(message, 60)!r}")
    return frame


def event_of(message: str | bytes) -> str | None:
    """Return the event that a message names; None if it is no JSON object or names none."""
    frame = _object(message)
    event = None if isinstance(frame, Finding) else frame.get("event")
    return event if isinstance(event, str) else None


def _kind(message: str | bytes) -> str:
    """Return a message in a few words, for a sentence."""
    event = event_of(message)
    return "a message that names no event" if event is None else f"an event {printable(event, 30)!r}"


def _decode(payload: object) -> bytes | Finding:
    if not isinstance(payload, str):
        return Finding("no-payload", "the answer has no media.payload")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        return Finding("not-base64", f"media.payload is not base64: {error}")


def _compare(sent: Sequence[bytes], received: Sequence[bytes]) -> Finding | None:
    for number, (want, got) in enumerate(zip(sent, received, strict=False), 1):
        if got == want:
            continue
        if got in sent:
            came = sent.index(got) + 1
            return Finding("order", f"frame {came} came back where frame {number} was due: echo in the order of arrival")
        if len(got) != len(want):
            return Finding("altered", f"{len(got)} bytes came back for {len(want)}: echo each payload as it came")
        at = next(index for index, (a, b) in enumerate(zip(want, got, strict=True)) if a != b)
        cause = f"the audio came back altered, first at byte {at} of {len(want)}: echo the payload text, do not re-encode it"
        return Finding("altered", cause)
    return None


def _size(size: int) -> Finding | None:
    if size % _UNIT:
        return Finding("chunk-size", f"a message holds {size} bytes of audio, no multiple of {_UNIT}: gaps are heard")
    if not _LEAST <= size <= _MOST:
        return Finding("chunk-size", f"a message holds {size} bytes of audio; Exotel plays from {_LEAST} to {_MOST}")
    return None


def _slow(sizes: Sequence[int], rate: int, span_s: float) -> Finding | None:
    audio_s = sum(sizes) / (rate * 2)
    if audio_s >= span_s * _PACE:
        return None
    cause = f"{audio_s:.1f} s of audio came in {span_s:.1f} s, if it is of {rate} Hz: gaps are heard, or it is of another rate"
    return Finding("slow", cause)


def _missing(exchange: Exchange, wanted: int, event: str) -> Finding | None:
    have = len(exchange.received)
    if have >= wanted:
        return None
    if exchange.closed:
        return _closed(exchange, event)
    of = f"{have} of {wanted} answers" if have else "no answer"
    return Finding("no-answer", f"{of} to {event} within {exchange.patience_s:g} s")


def _surplus(exchange: Exchange, wanted: int) -> Finding | None:
    have = len(exchange.received)
    if have <= wanted:
        return None
    return Finding("surplus", f"{plural(have, 'answer')} to {plural(wanted, 'frame')}: the caller hears audio twice")


def _closed(exchange: Exchange, what: str) -> Finding | None:
    return Finding("closed", f"the server closed the connection {exchange.closed} on {what}") if exchange.closed else None
