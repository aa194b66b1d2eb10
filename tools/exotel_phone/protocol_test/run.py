"""Carry out the protocol test."""

import dataclasses
import time
from types import ModuleType

from exotel_phone.http_get import get
from exotel_phone.protocol_test import bot_script, judges, script
from exotel_phone.protocol_test.exchange import Check, Exchange, Finding, Outcome, Step
from exotel_phone.protocol_test.session import Session
from exotel_phone.reach import Unreachable
from exotel_phone.target import Target
from exotel_phone.wire import Ids, Stream


class Listener:
    """Is told of each event of a protocol test as it happens. This one does nothing."""

    def sending(self, name: str) -> None:
        """Note that the messages of a check go out."""

    def heard(self, name: str) -> None:
        """Note that an answer came."""

    def checked(self, check: Check) -> None:
        """Note the outcome of a check."""


class ProtocolTest:
    """The checks of one sample rate (Hz) against one server. ``patience_s`` bounds the wait for each answer.

    ``listen_s`` is how long to listen where no answer is expected; a fifth of ``patience_s`` if not given.
    """

    def __init__(
        self,
        target: Target,
        rate: int,
        listener: Listener | None = None,
        *,
        patience_s: float = 2.0,
        listen_s: float | None = None,
    ) -> None:
        self._target = target.with_rate(rate)
        self._rate = rate
        self._listener = listener or Listener()
        self._patience_s = patience_s
        self._listen_s = patience_s / 5 if listen_s is None else listen_s
        self._loops_marks = False
        self.checks: list[Check] = []

    async def run(self) -> list[Check]:
        """Carry out every check once, in order; report those after a lost connection as not run.

        ``/health`` says whether an echo or a bot is to be expected.
        """
        stream = Stream(Ids.new(), self._rate)
        mode = await self._health("HEALTH", "HTTP /health answers on the same host and port")
        play = bot_script if mode == "ai" else script
        session = await self._handshake()
        for step in [*play.opening(stream), *play.conversation(stream, self._listen_s)]:
            await self._step(session, step)
        await self._second_call(session, play)
        await self._step(session, play.closing(stream, self._listen_s))
        await self._drop(session)
        return self.checks

    async def _drop(self, session: Session | None) -> None:
        name, proves = "DROP", "the server lives on after a drop without a close frame (1006)"
        if session is None:
            self._not_run(name, proves, session)
            return
        await session.drop()
        await self._health(name, proves)

    async def _health(self, name: str, proves: str) -> str:
        """Check ``/health``; return the mode that the server says it is in."""
        began = time.perf_counter()
        mode = ""
        try:
            answer = await get(self._target, "/health", timeout_s=max(self._patience_s, 5.0))
            finding = judges.health(answer.status, answer.body)
            mode = judges.mode(answer.body)
        except Unreachable as error:
            finding = Finding(error.fault.kind, error.fault.cause)
        self._judged(name, proves, finding, began)
        return mode

    async def _handshake(self) -> Session | None:
        began = time.perf_counter()
        session, finding = None, None
        try:
            session = await Session.open(self._target, self._patience_s)
        except Unreachable as error:
            finding = Finding(error.fault.kind, f"{error.fault.cause}; next: {error.fault.next}")
        self._judged("HANDSHAKE", "a WebSocket connection is accepted", finding, began)
        return session

    async def _second_call(self, first: Session | None, play: ModuleType) -> None:
        stream = Stream(Ids.new(), self._rate)
        opening, step = play.opening(stream), play.second_stream(stream)
        if first is None or first.closed:
            self._not_run(step.name, step.proves, first)
            return
        try:
            second = await Session.open(self._target, self._patience_s)
        except Unreachable as error:
            finding = Finding(error.fault.kind, f"no second connection: {error.fault.cause}")
            self._judged(step.name, step.proves, finding, time.perf_counter())
            return
        for quiet in opening:
            await second.carry_out(quiet)
        await self._step(second, step)
        await second.drop()

    async def _step(self, session: Session | None, step: Step) -> None:
        if session is None or session.closed:
            self._not_run(step.name, step.proves, session)
            return
        self._listener.sending(step.name)
        began = time.perf_counter()
        exchange = await session.carry_out(step, lambda: self._listener.heard(step.name))
        if self._loops_marks and not step.name.startswith("MARK"):
            exchange = _without_marks(exchange)
        finding = step.judge(exchange)
        if finding is not None and finding.problem == "mark-loop":
            self._loops_marks = True
        self._judged(step.name, step.proves, finding, began)

    def _judged(self, name: str, proves: str, finding: Finding | None, began: float) -> None:
        outcome: Outcome = "pass" if finding is None else "fail"
        ms = round((time.perf_counter() - began) * 1000, 3)
        self._add(Check(name, self._rate, outcome, proves, finding, ms))

    def _not_run(self, name: str, proves: str, session: Session | None) -> None:
        cause = "there is no connection" if session is None else f"the server closed the connection {session.closed}"
        self._add(Check(name, self._rate, "not-run", proves, Finding("not-run", cause)))

    def _add(self, check: Check) -> None:
        self.checks.append(check)
        self._listener.checked(check)


def _without_marks(exchange: Exchange) -> Exchange:
    """Drop marks from an exchange, so that later checks do not fail for a server already found to send marks for ever."""
    kept = tuple(message for message in exchange.received if judges.event_of(message) != "mark")
    return dataclasses.replace(exchange, received=kept)
