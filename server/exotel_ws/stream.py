"""One connection and the call on it, from its opening to its end."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from exotel_ws import protocol
from exotel_ws.admission.bucket import Bucket
from exotel_ws.admission.log_budget import LogBudget
from exotel_ws.call import Call, Phase
from exotel_ws.engines import Closing, Connection
from exotel_ws.handshake import Credentials, Target
from exotel_ws.logs import CallLog, printable
from exotel_ws.metrics.tally import Tally
from exotel_ws.passthru.outcomes import Applet, Outcomes
from exotel_ws.responder import HangUp, Mode
from exotel_ws.settings import Settings
from exotel_ws.tap.watch import Watch
from exotel_ws.withheld import Withheld

_AFTER_STOP_S: Final = 5.0
"""Seconds after stop until we close a connection that is still open; Exotel drops it at once."""
_TIMER_RESOLUTION_S: Final = 0.001
_VIOLATIONS: Final = {1002: "framing", 1007: "not_utf8", 1009: "too_big"}
"""Close codes that an engine sends by itself, and the fault that each stands for."""


class Stream:
    """Receive a connection's events from the engine (`exotel_ws.engines.Stream`). An exception in this call never leaves it."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        tally: Tally,
        credentials: Credentials | None,
        mode: Mode,
        on_end: Callable[["Stream"], None],
        withheld: Withheld | None = None,
        log_budget: LogBudget | None = None,
        outcomes: Outcomes | None = None,
    ) -> None:
        request = connection.request
        target = Target.parse(request.path)
        self.ticket = ticket = request.ticket
        if credentials and (use := credentials.in_handshake(request.headers, target)):
            credentials.note(use, ticket)
            credentials = None
            if ticket is not None:
                ticket.prove()
        self._connection = connection
        self._target = target
        self._limits = settings.limits
        self._tally = tally
        self._on_end = on_end
        self._outcomes = outcomes
        self._hung_up: HangUp | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._clock = asyncio.get_running_loop().time
        self.stuck = False
        self.answered = tally.observe_latency
        self.rate_asked = protocol.rate_asked(target.query, {})
        self.watches: tuple[Watch, ...] = ()
        self.call = Call(
            conn_id=f"conn_{secrets.token_hex(6)}",
            remote_host=connection.remote_host,
            target=target,
            settings=settings,
            tally=tally,
            respond=lambda start, writer, sample_rate: mode.respond(start, writer, self, sample_rate=sample_rate),
            credentials=credentials,
            on_phase=self._enter,
            full=mode.full,
            ticket=ticket,
            clock=self._clock,
            withheld=withheld,
            log_budget=log_budget,
            private=mode.private,
            needs_start=mode.needs_start,
            most_restarts=mode.most_restarts,
        )
        if ticket is not None:
            ticket.drop = self._make_room

    @property
    def started(self) -> bool:
        """See `exotel_ws.engines.Stream`."""
        return self.call.phase is not Phase.OPENED

    @property
    def log(self) -> CallLog:
        return self.call.log

    @property
    def path(self) -> str:
        """See `exotel_ws.responder.Line`."""
        return self._target.path

    @property
    def hung_up(self) -> HangUp | None:
        """See `exotel_ws.responder.Line`."""
        return self._hung_up

    def send(self, messages: tuple[str, ...], audio_bytes: int = 0) -> None:
        """See `exotel_ws.responder.Line`."""
        if self._hung_up is not None or self.call.phase is not Phase.STARTED:
            return
        for watch in self.watches:
            watch.answered(messages)
        for message in messages:
            self._connection.send(message)
        if audio_bytes:
            self.call.count_sent(len(messages), audio_bytes)

    def opened(self) -> None:
        call, tally = self.call, self._tally
        tally.connections += 1
        query = "present" if self._target.query else "none"
        call.log("🔌 WebSocket connected", event="open", REMOTE=call.remote_host, RATE=self.rate_asked, QUERY=query)
        call.log(f"Sample rate: {call.sample_rate} Hz", event="open")
        call.log(f"Remote IP: {call.remote_host}", event="open")
        self._bound(self._limits.start_timeout_s, HangUp(1008, f"no start within {self._limits.start_timeout_s:g} s"))
        # Check the limit again: the handshake did, but many may have opened at once.
        if self.ticket is None and tally.connections > self._limits.max_connections:
            tally.rejected["full"] += 1
            self.hang_up(HangUp(1013, f"full: limits.max_connections = {self._limits.max_connections}"))

    def received(self, raw: str | bytes) -> tuple[str, ...]:
        if self._hung_up is not None:
            return ()
        try:
            if self.watches:
                return self._watched(raw)
            return self.call.receive(raw)
        except HangUp as hang_up:
            self.hang_up(hang_up)
        except Exception:
            self.call.log.exception("💥 This call failed; the others go on")
            self.hang_up(HangUp(1011, "internal error"))
        return ()

    def _watched(self, raw: str | bytes) -> tuple[str, ...]:
        for watch in self.watches:
            watch.received(raw)
        messages = self.call.receive(raw)
        for watch in self.watches:
            watch.answered(messages)
        return messages

    def flooded(self, bound: str, reason: str, code: int) -> None:
        """See `exotel_ws.engines.Stream`."""
        if self.ticket is not None:
            self.ticket.fail()
        self.hang_up(HangUp(code, reason, bound))

    def closed(self, closing: Closing) -> None:
        call, tally = self.call, self._tally
        for timer in (self._deadline, self._silence):
            if timer:
                timer.cancel()
        tally.connections -= 1
        if call.phase is Phase.STARTED:
            tally.calls_live -= 1
        if self._hung_up is None and closing.sent in _VIOLATIONS:
            kind = _VIOLATIONS[closing.sent]
            tally.faults[kind] += 1
            if kind == "too_big" and call.phase is Phase.OPENED:
                self.bite("early_size", "a message of too many bytes before start")
            call.log.warning(f"✂️ Closed with {closing.sent} ({kind}): {printable(closing.reason)}", event="hang_up")
        how, code = self._how_it_ended(closing), closing.sent or closing.received or 1006
        tally.ended[how] += 1
        if how == "no_stop":
            call.log.warning("⚠️ Connection lost without stop (code 1006): the network or a leg broke", event="lost")
        call.log(
            "👋 Connection closed",
            event="close",
            ENDED=how,
            CODE=code,
            DURATION_MS=round((self._clock() - call.began) * 1000),
            FRAMES_IN=call.frames_in,
            FRAMES_OUT=call.frames_out,
            RATE=call.sample_rate,
            REMOTE=call.remote_host,
            **({"LINES_LEFT_OUT": call.log.left_out} if call.log.left_out else {}),
        )
        call.log.over()
        for watch in self.watches:
            watch.closed(how, code)
        call.over()
        if self.ticket is not None:
            self.ticket.close()
        self._on_end(self)

    def hang_up(self, hang_up: HangUp) -> None:
        """Close the connection from our side with the code and reason of ``hang_up``; only the first call counts."""
        if self._hung_up is None:
            self._hung_up = hang_up
            say = self.call.log if hang_up.code == 1000 else self.call.log.warning
            say(f"✂️ Closing with {hang_up.code}: {hang_up.reason}", event="hang_up")
            if hang_up.bound:
                self.bite(hang_up.bound, hang_up.reason)
            self._connection.close(hang_up.code, hang_up.reason)

    def bite(self, bound: str, text: str) -> None:
        """See `exotel_ws.responder.Line`."""
        if self.ticket is not None:
            self.ticket.bite(bound, text)
        else:
            self._tally.bounds[bound] += 1

    def fault(self, kind: str, text: str) -> None:
        """See `exotel_ws.responder.Line`."""
        self.call.fault(kind, text)

    def share(self, name: str, rate: float, burst: float) -> Bucket | None:
        """See `exotel_ws.responder.Line`."""
        return self.ticket.share(name, rate, burst) if self.ticket is not None else None

    def next_applet(self, applet: Applet) -> None:
        """See `exotel_ws.responder.Line`."""
        if self._outcomes is not None:
            self._outcomes.say(self.call.start.call_sid, applet)

    def _make_room(self) -> None:
        """Close this connection, which has not proven to be a call, to give its place to another."""
        self.hang_up(HangUp(1013, "full: the place of a connection without media went to another"))
        self.call.over()

    def _enter(self, phase: Phase) -> None:
        if phase is Phase.STARTED:
            self._tally.calls += 1
            self._tally.calls_live += 1
            most_s = self._limits.max_call_s
            self._bound(most_s, HangUp(1000, f"longer than limits.max_call_s = {most_s:g} s"))
            self._await_media(self._limits.media_timeout_s)
        else:
            if self.ticket is not None:
                self.ticket.stop()
            if self.call.start.stream_sid:
                self._tally.calls_live -= 1
            if self._silence:
                self._silence.cancel()
            self._bound(_AFTER_STOP_S, HangUp(1000, "still open after stop"))

    def _await_media(self, delay_s: float) -> None:
        """Check the time of the last media after ``delay_s``, so that no frame has to arm a timer."""
        self._silence = asyncio.get_running_loop().call_later(delay_s, self._end_if_silent)

    def _end_if_silent(self) -> None:
        most_s = self._limits.media_timeout_s
        left_s = most_s - (self._clock() - self.call.media_at)
        if left_s > _TIMER_RESOLUTION_S:
            self._await_media(left_s)
        elif self.stuck:
            self.hang_up(HangUp(1008, f"the client reads nothing for {most_s:g} s", "no_media"))
        else:
            self.hang_up(HangUp(1008, f"no media for {most_s:g} s, see limits.media_timeout_s", "no_media"))

    def _bound(self, delay_s: float, hang_up: HangUp) -> None:
        """Replace the timer that ends the current phase of the connection."""
        if self._deadline:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(delay_s, self.hang_up, hang_up)

    def _how_it_ended(self, closing: Closing) -> str:
        if self.call.phase is Phase.OPENED:
            return "no_start"
        if self._hung_up and self._hung_up.bound == "no_media":
            return "no_media"
        if self._hung_up or closing.sent is not None:
            return "closed_by_server"
        if self.call.phase is Phase.STOPPED:
            return "stop"
        return "no_stop" if closing.received is None else "closed_by_client"
