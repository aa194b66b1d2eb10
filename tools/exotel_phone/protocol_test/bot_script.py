"""Hold the protocol test's conversation with a bot, step by step. A bot speaks first, and at any time."""

from exotel_phone.protocol_test import judges
from exotel_phone.protocol_test.exchange import Step
from exotel_phone.wire import Stream

_SOME = 13
"""Messages of a greeting: enough to see the pace after what a bot sends ahead. If it has fewer, the wait is bounded."""
_IN_FLIGHT_S = 0.5
"""Seconds after ``stop`` in which messages sent before may arrive."""


def opening(stream: Stream) -> list[Step]:
    """``connected`` and ``start``; what follows them is the greeting."""
    return [
        Step("CONNECTED", "connected is accepted", (stream.connected(),), judges.silence("connected")),
        Step("START", "start is accepted", (stream.start(),), judges.bears(stream.ids.stream_sid, "start"), quiet_s=0.0),
    ]


def conversation(stream: Stream, listen_s: float) -> list[Step]:
    """The greeting, a mark, the unknown, a key. ``listen_s`` is how long to listen after the key."""
    sid = stream.ids.stream_sid
    unknown = stream.other({"event": "exotelctl-unknown", "track": "inbound", "nested": {"list": [1, None, "x"]}})
    mark = stream.mark("exotelctl-mark-1")
    keys = (stream.dtmf("5"), stream.other({"event": "dtmf", "digit": "#"}))
    return [
        greeting(stream),
        Step("MARK", "a mark that it did not send is passed over", (mark,), judges.bears(sid, "a mark")),
        Step("UNKNOWN_EVENT", "an unknown event is passed over", (unknown,), judges.bears(sid, "an unknown event")),
        Step("DTMF", "dtmf is taken in both spellings", keys, judges.bears(sid, "dtmf"), quiet_s=listen_s),
    ]


def greeting(stream: Stream) -> Step:
    """The first words of the bot."""
    return _spoken(stream, "GREETING", "the bot speaks first, in messages that Exotel plays, as fast as they are heard")


def second_stream(stream: Stream) -> Step:
    """The greeting on a second connection while the first is open."""
    return _spoken(stream, "ISOLATION", "a second call at the same time is greeted under its own stream_sid")


def closing(stream: Stream, listen_s: float) -> Step:
    """``stop``."""
    proves = "nothing is sent after stop"
    return Step("STOP", proves, (stream.stop(),), judges.nothing_after_stop, quiet_s=listen_s, grace_s=_IN_FLIGHT_S)


def _spoken(stream: Stream, name: str, proves: str) -> Step:
    return Step(name, proves, (), judges.speaks(stream.ids.stream_sid, stream.rate), answers=_SOME, quiet_s=0.0)
