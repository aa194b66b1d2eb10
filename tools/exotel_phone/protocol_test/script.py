"""Hold the protocol test's conversation with an echo, step by step."""

import random
from array import array

from exotel_phone.audio import speech_like
from exotel_phone.protocol_test import judges
from exotel_phone.protocol_test.exchange import Step
from exotel_phone.wire import FRAME_MS, Stream, frame_bytes

_BURST = 10
_MARK = "exotelctl-mark-1"


def opening(stream: Stream) -> list[Step]:
    """``connected`` and ``start``."""
    return [
        Step("CONNECTED", "connected is accepted", (stream.connected(),), judges.silence("connected")),
        Step("START", "start is accepted", (stream.start(),), judges.silence("start")),
    ]


def conversation(stream: Stream, listen_s: float) -> list[Step]:
    """Return audio of every kind, marks, keys, the unknown. The messages are numbered in the order of this list.

    ``listen_s`` is how long to listen where no answer, or no second one, is expected.
    """
    sid = stream.ids.stream_sid
    silence, tone, extremes, noise = _frames(stream.rate)
    burst = _slices(speech_like(_BURST * FRAME_MS / 1000, stream.rate), frame_bytes(stream.rate))
    return [
        _media(stream, "MEDIA_1", "silence is echoed", silence),
        _media(stream, "MEDIA_2", "a tone is echoed bit for bit", tone),
        _media(stream, "MEDIA_3", "the loudest samples are echoed bit for bit", extremes),
        _media(stream, "MEDIA_4", "any bit pattern is echoed bit for bit", noise),
        _numbers_as_ints(stream, tone),
        _echo(stream, "MEDIA_BURST", f"{_BURST} frames are echoed once each, in order", burst),
        Step("MARK", "a mark is answered once", (stream.mark(_MARK),), judges.mark_once(sid, _MARK), 1, listen_s),
        Step("MARK_AGAIN", "a repeated mark is not answered", (stream.mark(_MARK),), judges.mark_not_again(_MARK), 0, listen_s),
        _keys(stream, listen_s),
        Step("CLEAR", "clear is noted and not answered", (stream.clear(),), judges.silence("clear"), 0, listen_s),
        _after_unknown(stream, noise),
    ]


def second_stream(stream: Stream) -> Step:
    """Audio on a second connection while the first is open."""
    _, _, _, noise = _frames(stream.rate)
    return _media(stream, "ISOLATION", "a second call at the same time gets its own audio under its own stream_sid", noise)


def closing(stream: Stream, listen_s: float) -> Step:
    """``stop``."""
    return Step("STOP", "nothing is sent after stop", (stream.stop(),), judges.nothing_after_stop, quiet_s=listen_s)


def _media(stream: Stream, name: str, proves: str, pcm: bytes) -> Step:
    return _echo(stream, name, proves, [pcm])


def _echo(stream: Stream, name: str, proves: str, frames: list[bytes]) -> Step:
    sends = tuple(stream.media(pcm) for pcm in frames)
    return Step(name, proves, sends, judges.echo(stream.ids.stream_sid, frames), answers=len(frames))


def _keys(stream: Stream, listen_s: float) -> Step:
    """A key press in both spellings that documents have: nested and flat."""
    sends = (stream.dtmf("5"), stream.other({"event": "dtmf", "digit": "#"}))
    return Step("DTMF", "dtmf is noted and not answered", sends, judges.silence("dtmf"), 0, listen_s)


def _numbers_as_ints(stream: Stream, pcm: bytes) -> Step:
    stream.ints = True
    step = _media(stream, "MEDIA_INTS", "sequence numbers are taken as integers as well as strings", pcm)
    stream.ints = False
    return step


def _after_unknown(stream: Stream, pcm: bytes) -> Step:
    unknown = stream.other({"event": "exotelctl-unknown", "track": "inbound", "nested": {"list": [1, None, "x"]}})
    judge = judges.echo(stream.ids.stream_sid, [pcm])
    return Step("UNKNOWN_EVENT", "an unknown event is passed over", (unknown, stream.media(pcm)), judge, answers=1)


def _frames(rate: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Return silence, tone, full-scale samples, noise: 20 ms each."""
    size = frame_bytes(rate)
    extremes = array("h", [32767, -32768, -1, 0, 1] * size)
    noise = random.Random(rate).randbytes(size)
    return bytes(size), speech_like(FRAME_MS / 1000, rate), extremes.tobytes()[:size], noise


def _slices(pcm: bytes, size: int) -> list[bytes]:
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]
