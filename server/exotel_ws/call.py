"""One stream of a call: its state, its counters, and the order of its events, which no other module knows."""

import time
from collections.abc import Callable
from enum import Enum
from typing import Final, cast

from exotel_ws import protocol
from exotel_ws.admission.bounds import Ticket
from exotel_ws.admission.bucket import Bucket
from exotel_ws.admission.log_budget import LogBudget
from exotel_ws.events import Event
from exotel_ws.handshake import Credentials, Target
from exotel_ws.logs import CallLog, printable
from exotel_ws.mask import masked
from exotel_ws.metrics.tally import Tally
from exotel_ws.protocol import Clear, Connected, Dtmf, Mark, Media, Message, ProtocolFault, Start, Stop, Unknown, Writer
from exotel_ws.responder import Bound, HangUp, Responder
from exotel_ws.settings import Settings
from exotel_ws.withheld import Withheld

_Messages = tuple[str, ...]
_NOTHING: Final[_Messages] = ()
Respond = Callable[[Start, Writer, int], Responder]
"""Function that makes the responder of a starting stream from its start, a writer of its messages and its sample rate in Hz."""
_MOST_EARLY: Final = 32 * 1024
"""Most bytes of audio that wait for start: two seconds at 8 kHz, the latest."""
_MEDIA_A_FAULT: Final = 50
"""Media messages that earn back one malformed message; one fault in a hundred messages is no attack."""


class Phase(Enum):
    """Phase of a stream."""

    OPENED = "opened"
    STARTED = "started"
    STOPPED = "stopped"


class Call:
    """Answer the messages of one stream, without any input or output of its own.

    ``credentials`` must be shown by the start message; None if none are needed, or the handshake has shown one.
    ``on_phase`` is called at every change of phase. ``full`` returns why no further call can be taken, or an empty text.
    ``ticket`` is the connection's account with admission; ``clock`` returns seconds. ``withheld`` removes the server's
    credentials from all that the responder and the log receive on this connection; None if there are none.
    ``private``, ``needs_start`` and ``most_restarts`` are the mode's, see `exotel_ws.responder.Mode`.
    """

    # Python 3.11 keeps at most 30 attributes in the object itself, and every frame reads a dozen of them.
    __slots__ = (
        "_answered_sid",
        "_clock",
        "_credentials",
        "_early",
        "_faults",
        "_frames_then",
        "_full",
        "_last_event",
        "_last_event_at",
        "_malformed_left",
        "_media_every",
        "_media_first",
        "_media_made_up_for",
        "_needs_start",
        "_on_phase",
        "_private",
        "_respond",
        "_responder",
        "_restarts",
        "_restarts_left",
        "_settings",
        "_stream_sid",
        "_tally",
        "_target",
        "_ticket",
        "_unnamed",
        "_withheld",
        "began",
        "conn_id",
        "frames_in",
        "frames_out",
        "log",
        "media_at",
        "phase",
        "remote_host",
        "sample_rate",
        "start",
    )

    def __init__(
        self,
        conn_id: str,
        remote_host: str,
        target: Target,
        settings: Settings,
        tally: Tally,
        respond: Respond,
        credentials: Credentials | None = None,
        on_phase: Callable[[Phase], None] = lambda _phase: None,
        full: Callable[[], str] = lambda: "",
        ticket: Ticket | None = None,
        clock: Callable[[], float] = time.monotonic,
        withheld: Withheld | None = None,
        log_budget: LogBudget | None = None,
        private: bool = False,
        needs_start: bool = False,
        most_restarts: Bound | None = None,
    ) -> None:
        self.conn_id = conn_id
        self.remote_host = remote_host
        self.log = CallLog(conn_id, log_budget, ticket)
        self.phase = Phase.OPENED
        self.start = Start("")
        self._stream_sid = ""
        """Stream sid as received, for every outgoing message."""
        self._answered_sid: str | None = None
        """Stream sid while media are answered, else None; media with another one are checked by `_accept`."""
        self.sample_rate = protocol.sample_rate(None, target.query)
        self.frames_in = self.frames_out = 0
        self.began = self.media_at = self._last_event_at = now = clock()
        """Times in seconds; ``media_at`` is the time of the last media, at first that of the stream's beginning."""
        self._last_event = ""
        self._frames_then = 0
        self._clock = clock
        self._target = target
        self._settings = settings
        self._tally = tally
        self._credentials = credentials
        self._on_phase = on_phase
        self._respond = respond
        self._full = full
        self._ticket = ticket
        self._withheld = withheld
        self._private = private
        self._needs_start = needs_start
        self._early: list[Media] = []
        """Media that wait for start."""
        self._unnamed = False
        """True if media began the stream, and start is still to come."""
        self._responder: Responder | None = None
        self._faults: dict[str, int] = {}
        most = settings.limits.max_faults
        self._malformed_left = Bucket(most / 60, most, now)
        self._restarts = most_restarts or Bound(most, "restarts")
        self._restarts_left = Bucket(self._restarts.most / 60, self._restarts.most, now)
        self._media_made_up_for = 0
        self._media_first, self._media_every = settings.log.media_first, settings.log.media_every

    def receive(self, raw: str | bytes) -> _Messages:
        """Take one WebSocket message (str: a text one) and return the messages to send for it, in order.

        Raises `HangUp` if the call can't go on.
        """
        try:
            if not isinstance(raw, str):
                self.fault("binary", "a binary message")
                raise HangUp(1003, "text messages only: JSON with base64 audio")
            message = protocol.read(raw)
        except ProtocolFault as fault:
            return self._malformed(fault)
        if type(message) is not Media:
            return self._event(message)
        size = len(message.pcm)
        if message.fault or message.stream_sid != self._answered_sid:
            if not self._accept(message):
                return _NOTHING
            if message.fault:
                size = protocol.audio_bytes(message.payload)
        responder = self._responder
        if responder is None:
            return _NOTHING
        # Local names, because Python 3.11 is slow to call what an instance holds.
        clock, answer, tally = self._clock, responder.media, self._tally
        self.media_at = clock()
        tally.frames_in += 1
        tally.bytes_in += size
        self.frames_in = count = self.frames_in + 1
        messages = answer(message)
        sent = len(messages)
        if sent:
            self.frames_out += sent
            tally.frames_out += sent
            tally.bytes_out += size
        if count <= self._media_first or (self._media_every and count % self._media_every == 0):
            self._log_media(message, count, size, sent)
        return messages

    @property
    def last_event(self) -> str:
        """Return the kind of the last message; empty before the first."""
        return "media" if self.frames_in > self._frames_then else self._last_event

    def facts(self) -> dict[str, object]:
        """Return what the tools show of a live call."""
        now = self._clock()
        return {
            "call_sid": self.start.call_sid,
            "stream_sid": self.start.stream_sid,
            "conn_id": self.conn_id,
            "from": self.start.from_,
            "to": self.start.to,
            "remote": self.remote_host,
            "ours": self._ticket is not None and self._ticket.ours,
            "rate": self.sample_rate,
            "age_s": round(now - self.began, 1),
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "last_event": self.last_event,
            "last_event_age_s": round(now - max(self.media_at, self._last_event_at), 1),
            **(self._responder.facts() if self._responder else {}),
        }

    def _event(self, message: Message) -> _Messages:
        """Take any message but media."""
        if self.phase is Phase.STOPPED:
            return self._after_stop()
        event = type(message).__name__.lower()
        self._last_event, self._frames_then = event, self.frames_in
        self._last_event_at = self._clock()
        if isinstance(message, Unknown):
            self.fault("unknown_event", f"unknown event {printable(message.event, 40)!r} is ignored")
            return _NOTHING
        self.log(f"📨 Received: {event}", event=cast("Event", event))
        match message:
            case Connected():
                self._connected()
            case Start():
                return self._start(message)
            case Mark():
                return self._mark(message)
            case Dtmf():
                return self._dtmf(message)
            case Clear():
                self.log("🧹 CLEAR EVENT (noted)", event="clear")
            case Stop():
                self._stop(message)
        return _NOTHING

    def _accept(self, media: Media) -> bool:
        """Count what is wrong with ``media``; begin the stream if they are its first message. Return False to ignore them."""
        if self.phase is Phase.STOPPED:
            self._after_stop()
            return False
        if media.fault:
            if not media.pcm and (self._responder is None or self._private):
                self._malformed(ProtocolFault("bad_payload", media.fault))
                return False
            self.fault("bad_payload", media.fault)
        if self._responder is None:
            self._media_before_start(media)
        elif media.stream_sid != self._stream_sid and media.stream_sid:
            self.fault("other_stream", f"media of another stream, {printable(media.stream_sid, 60)}, is taken for this one")
        return True

    def count_sent(self, frames: int, audio_bytes: int) -> None:
        """Count ``frames`` messages with ``audio_bytes`` of audio in all that the responder sent by itself."""
        self.frames_out += frames
        self._tally.frames_out += frames
        self._tally.bytes_out += audio_bytes

    def over(self) -> None:
        """End the responder, whether a stop came or not. Idempotent."""
        responder, self._responder = self._responder, None
        self._answered_sid = None
        if responder is not None:
            responder.stopped()

    def _log_media(self, media: Media, count: int, size: int, sent: int) -> None:
        chunk, at_ms = protocol.number(media.chunk), protocol.number(media.timestamp)
        self.log("📨 Received: media", event="media")
        self.log(f"🎵 MEDIA #{count} - Chunk {chunk}, {size} bytes, ts={at_ms}", event="media")
        if sent:
            self.log(f"🔊 ECHO sent - {size} bytes", event="echo")

    def _media_before_start(self, media: Media) -> None:
        """Begin the stream, unless ``media`` do not name it or its credential is still to come. A bot waits for start instead."""
        self.fault("media_before_start", "media before start")
        if self._needs_start:
            self._early.append(media)
            while len(self._early) > 1 and sum(len(each.pcm) for each in self._early) > _MOST_EARLY:
                del self._early[0]
        elif media.stream_sid and self._credentials is None:
            self._begin(Start(media.stream_sid))
            self._unnamed = True

    def _after_stop(self) -> _Messages:
        self.fault("after_stop", "a message after stop is ignored")
        return _NOTHING

    def _connected(self) -> None:
        self.log("🎉 CONNECTED EVENT", event="connected")
        self._faults.setdefault("no_connected", 0)

    def _start(self, start: Start) -> _Messages:
        if "no_connected" not in self._faults:
            self.fault("no_connected", "start without connected")
        if self._credentials is not None:
            use = self._credentials.in_parameters(start.raw_parameters)
            if use is None:
                self.log.warning(
                    "🔒 Refused: no valid credential in header, path, query or custom_parameters",
                    event="refused",
                    REASON="credentials",
                    DETAIL=self._credential_shown(self._credentials, start),
                    REMOTE=self.remote_host,
                )
                self._tally.rejected["credentials"] += 1
                if self._ticket is not None:
                    self._ticket.fail()
                raise HangUp(1008, "authentication failed")
            self._credentials.note(use, self._ticket)
            self._credentials = None
            if self._ticket is not None:
                self._ticket.prove()
        unnamed, self._unnamed = self._unnamed, False
        if self.phase is Phase.STARTED and not unnamed:
            self.fault("duplicate_start", "a second start on one connection: the stream begins again")
            if not self._restarts_left.take(self._clock()):
                text = f"the stream began again more than {self._restarts.most} times within a minute"
                raise HangUp(1008, text, self._restarts.name)
        self._begin(start)
        self.log("🚀 START EVENT", event="start", RATE=self.sample_rate, RATE_ASKED=self._rate_asked())
        self.log(f"   Stream SID: {printable(start.stream_sid)}", event="start")
        self.log(f"   Call SID: {printable(start.call_sid)}", event="start")
        self.log(f"   From: {self._person(start.from_)} → To: {self._person(start.to)}", event="start")
        self.log(f"   Format: {printable(start.encoding, 40) or 'unsaid'} @ {self.sample_rate}Hz", event="start")
        return self._answer_early()

    def _answer_early(self) -> _Messages:
        """Answer the media that came before start."""
        early, self._early = self._early, []
        responder = self._responder
        if responder is None:
            return _NOTHING
        self.frames_in += len(early)
        self._tally.frames_in += len(early)
        self._tally.bytes_in += sum(len(media.pcm) for media in early)
        return tuple(message for media in early for message in responder.media(media))

    def _credential_shown(self, credentials: Credentials, start: Start) -> str:
        """Return what was shown in place of a good credential."""
        if credentials.had({}, self._target, start.raw_parameters):
            return "retired"
        return "wrong" if Credentials.shown_by(self._target, self._settings.paths, start.raw_parameters) else "missing"

    def _begin(self, start: Start) -> None:
        self._stream_sid = start.stream_sid
        if self._withheld is not None:
            start = self._withheld.leave_out(start)
        self.start = start
        self.media_at = self._clock()
        self.sample_rate = protocol.sample_rate(start, self._target.query)
        self.log.identify(call_sid=start.call_sid, stream_sid=start.stream_sid)
        self._judge_rate(start)
        for name in start.cut:
            self.fault("too_long", f"{name} of start is too long and is cut")
        writer = protocol.Writer(
            self._stream_sid, sample_rate=self.sample_rate, number_frames=self._settings.output.number_frames
        )
        self.over()
        if self.phase is not Phase.STARTED:
            self._admit()
            self._enter(Phase.STARTED)
        # Last, because a bot greets at once, and nothing is sent in a stream that has not started.
        self._responder = self._respond(start, writer, self.sample_rate)
        self._answered_sid = self._stream_sid

    def _judge_rate(self, start: Start) -> None:
        own = protocol.rates_unused(start, {})
        asked = self._rate_asked()
        if own or (asked is None and (own := protocol.rates_unused(start, self._target.query))):
            known = ", ".join(map(str, protocol.SAMPLE_RATES))
            self.fault("unsupported_rate", f"sample rate {own[0]} is none of {known} Hz: {self.sample_rate} Hz counts")
        elif asked not in (None, self.sample_rate):
            self.fault("rate_mismatch", f"the URL asks for {asked} Hz, the stream has {self.sample_rate} Hz, which counts")

    def _rate_asked(self) -> int | None:
        return protocol.rate_asked(self._target.query, self.start.custom_parameters)

    def _admit(self) -> None:
        """Check the limit of calls again: the handshake did, but streams that opened together may start together."""
        most = self._settings.limits.max_calls
        if self._ticket is not None:
            why = self._ticket.start(lambda: self.frames_in)
        else:
            why = f"limits.max_calls = {most}" if self._tally.calls_live >= most else ""
        why = why or self._full()
        if why:
            self._tally.rejected["full"] += 1
            tells = self._ticket is None or self._ticket.may_know
            raise HangUp(1013, f"full: {why}" if tells else "full")

    def _mark(self, mark: Mark) -> _Messages:
        if self._responder is None:
            self.fault("unsolicited_mark", "mark before start is ignored")
            return _NOTHING
        messages = self._responder.mark(mark)
        self.log(f"🔖 MARK EVENT - {printable(mark.name, 80)}{'' if messages else ' (noted)'}", event="mark")
        return messages

    def _dtmf(self, dtmf: Dtmf) -> _Messages:
        self.log(f"🔢 DTMF EVENT - {'•' if self._private else dtmf.digit}", event="dtmf")
        return self._responder.dtmf(dtmf) if self._responder else _NOTHING

    def _person(self, number: str) -> str:
        shown = printable(number, 40)
        return masked(shown) if self._private else shown

    def _stop(self, stop: Stop) -> None:
        self.log(f"🛑 STOP EVENT - Reason: {printable(stop.reason, 80)}", event="stop")
        self.log(f"📊 Total media packets: {self.frames_in}", event="stop")
        self._enter(Phase.STOPPED)
        self.over()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._on_phase(phase)

    def _malformed(self, fault: ProtocolFault) -> _Messages:
        self.fault(fault.kind, printable(str(fault)))
        left, now = self._malformed_left, self._clock()
        left.give((self.frames_in - self._media_made_up_for) / _MEDIA_A_FAULT)
        self._media_made_up_for = self.frames_in
        if not left.take(now):
            most = self._settings.limits.max_faults
            raise HangUp(1008, f"more than {most} malformed messages within a minute, the last: {fault.kind}", "malformed")
        return _NOTHING

    def fault(self, kind: str, text: str) -> None:
        """Count a fault; log the first of its kind in a stream, so that a bad client can't flood the log."""
        self._tally.faults[kind] += 1
        seen = self._faults[kind] = self._faults.get(kind, 0) + 1
        if seen == 1:
            self.log.warning(f"⚠️ {text}", event="fault", KIND=kind)
