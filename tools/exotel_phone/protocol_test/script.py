"""Hold the conversations of the protocol test, step by step: one with an echo, one with a bot."""

import dataclasses
import random
from array import array
from functools import partial
from typing import Final

from exotel_phone.audio import frames, speech_like
from exotel_phone.protocol_test import judges
from exotel_phone.protocol_test.exchange import Judge, Step
from exotel_phone.wire import FRAME_MS, Stream, frame_bytes

_BURST: Final = 10
_MARK: Final = "exotelctl-mark-1"
_SOME: Final = 13
"""Messages of a greeting: enough to see the pace after what a bot sends ahead. If it has fewer, the wait is bounded."""


class EchoScript:
    """The conversation with an echo, on ``stream``. Each method numbers its messages: call them in the order they stand in.

    ``listen_s`` is how long to listen where no answer, or no second one, is expected.
    """

    _in_flight_s = 0.0
    """Seconds after ``stop`` in which messages that were sent before may arrive."""

    def __init__(self, stream: Stream, listen_s: float) -> None:
        self._stream = stream
        self._sid = stream.ids.stream_sid
        self._listen_s = listen_s

    def opening(self) -> list[Step]:
        """Return ``connected`` and ``start``."""
        return [
            Step("CONNECTED", "connected is accepted", (self._stream.connected(),), _silence("connected")),
            Step("START", "start is accepted", (self._stream.start(),), _silence("start")),
        ]

    def conversation(self) -> list[Step]:
        """Return audio of every kind, marks, keys, the unknown."""
        silence, tone, extremes, noise = _samples(self._stream.rate)
        burst = frames(speech_like(_BURST * FRAME_MS / 1000, self._stream.rate), self._stream.rate)
        once, not_again = partial(judges.mark_once, self._sid, _MARK), partial(judges.mark_not_again, _MARK)
        mark, listen_s = self._stream.mark(_MARK), self._listen_s
        return [
            self._echo("MEDIA_1", "silence is echoed", silence),
            self._echo("MEDIA_2", "a tone is echoed bit for bit", tone),
            self._echo("MEDIA_3", "the loudest samples are echoed bit for bit", extremes),
            self._echo("MEDIA_4", "any bit pattern is echoed bit for bit", noise),
            self._numbers_as_ints(tone),
            self._echo("MEDIA_BURST", f"{_BURST} frames are echoed once each, in order", *burst),
            Step("MARK", "a mark is answered once", (mark,), once, 1, listen_s),
            Step("MARK_AGAIN", "a repeated mark is not answered", (mark,), not_again, 0, listen_s),
            Step("DTMF", "dtmf is noted and not answered", self._keys(), _silence("dtmf"), 0, listen_s),
            Step("CLEAR", "clear is noted and not answered", (self._stream.clear(),), _silence("clear"), 0, listen_s),
            self._echo("UNKNOWN_EVENT", "an unknown event is passed over", noise, before=(self._unknown(),)),
        ]

    def second_stream(self) -> Step:
        """Return audio for a second connection while the first is open."""
        *_, noise = _samples(self._stream.rate)
        return self._echo("ISOLATION", "a second call at the same time gets its own audio under its own stream_sid", noise)

    def closing(self) -> Step:
        """Return ``stop``."""
        stop, proves = (self._stream.stop(),), "nothing is sent after stop"
        return Step("STOP", proves, stop, judges.nothing_after_stop, quiet_s=self._listen_s, grace_s=self._in_flight_s)

    def _echo(self, name: str, proves: str, *pcm: bytes, before: tuple[str, ...] = ()) -> Step:
        sends = (*before, *map(self._stream.media, pcm))
        return Step(name, proves, sends, partial(judges.echo, self._sid, pcm), answers=len(pcm))

    def _numbers_as_ints(self, pcm: bytes) -> Step:
        self._stream.ints = True
        step = self._echo("MEDIA_INTS", "sequence numbers are taken as integers as well as strings", pcm)
        self._stream.ints = False
        return step

    def _unknown(self) -> str:
        return self._stream.other({"event": "exotelctl-unknown", "track": "inbound", "nested": {"list": [1, None, "x"]}})

    def _keys(self) -> tuple[str, str]:
        """Return a key press in both spellings that documents have: nested and flat."""
        return self._stream.dtmf("5"), self._stream.other({"event": "dtmf", "digit": "#"})


class BotScript(EchoScript):
    """The conversation with a bot, which speaks first, and at any time."""

    _in_flight_s = 0.5

    def opening(self) -> list[Step]:
        """Return ``connected`` and ``start``; what follows them is the greeting."""
        connected, start = super().opening()
        return [connected, dataclasses.replace(start, judge=self._bears("start"), quiet_s=0.0)]

    def conversation(self) -> list[Step]:
        """Return the greeting, a mark, the unknown, a key."""
        mark, unknown = (self._stream.mark(_MARK),), (self._unknown(),)
        return [
            self._spoken("GREETING", "the bot speaks first, in messages that Exotel plays, as fast as they are heard"),
            Step("MARK", "a mark that it did not send is passed over", mark, self._bears("a mark")),
            Step("UNKNOWN_EVENT", "an unknown event is passed over", unknown, self._bears("an unknown event")),
            Step("DTMF", "dtmf is taken in both spellings", self._keys(), self._bears("dtmf"), quiet_s=self._listen_s),
        ]

    def second_stream(self) -> Step:
        """Return the greeting on a second connection while the first is open."""
        return self._spoken("ISOLATION", "a second call at the same time is greeted under its own stream_sid")

    def _bears(self, what: str) -> Judge:
        return partial(judges.bears, self._sid, what)

    def _spoken(self, name: str, proves: str) -> Step:
        return Step(name, proves, (), partial(judges.speaks, self._sid, self._stream.rate), answers=_SOME, quiet_s=0.0)


def _silence(what: str) -> Judge:
    return partial(judges.silence, what)


def _samples(rate: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Return silence, tone, full-scale samples, noise: 20 ms each."""
    size = frame_bytes(rate)
    extremes = array("h", [32767, -32768, -1, 0, 1] * size)
    noise = random.Random(rate).randbytes(size)
    return bytes(size), speech_like(FRAME_MS / 1000, rate), extremes.tobytes()[:size], noise
