"""Carry out the protocol test."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator

from exotel_phone.health import AI, fault_of, mode_of
from exotel_phone.http_request import get
from exotel_phone.protocol_test import judges
from exotel_phone.protocol_test.exchange import Broken, Check, Exchange, Finding, Step
from exotel_phone.protocol_test.script import BotScript, EchoScript
from exotel_phone.protocol_test.session import Session
from exotel_phone.reach import Unreachable
from exotel_phone.target import Target
from exotel_phone.wire import Ids, Stream

Listener = Callable[[str | Check], None]
"""Function that is told, as it happens, in words what is sent and heard, and each check with its outcome."""


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
        self._tell = listener or (lambda _: None)
        self._patience_s = patience_s
        self._listen_s = patience_s / 5 if listen_s is None else listen_s
        self.checks: list[Check] = []

    async def run(self) -> list[Check]:
        """Carry out every check once, in order; report those after a lost connection as not run.

        ``/health`` says whether an echo or a bot is to be expected.
        """
        mode = await self._health("HEALTH", "HTTP /health answers on the same host and port")
        script = BotScript if mode == AI else EchoScript
        first, second = (script(Stream(Ids.new(), self._rate), self._listen_s) for _ in range(2))
        session = None
        with self._check("HANDSHAKE", "a WebSocket connection is accepted", "{0.cause}; next: {0.next}"):
            session = await self._connect()
        for step in [*first.opening(), *first.conversation()]:
            await self._step(session, step)
        await self._second_call(session, second.opening(), second.second_stream())
        await self._step(session, first.closing())
        await self._drop(session)
        return self.checks

    async def _connect(self) -> Session:
        return await Session.open(self._target, self._patience_s)

    async def _drop(self, session: Session | None) -> None:
        name, proves = "DROP", "the server lives on after a drop without a close frame (1006)"
        if session is None:
            self._not_run(name, proves, session)
            return
        await session.drop()
        await self._health(name, proves)

    async def _health(self, name: str, proves: str) -> str:
        """Check ``/health``; return the mode that the server says it is in."""
        body = ""
        with self._check(name, proves):
            answer = await get(self._target, "/health", timeout_s=max(self._patience_s, 5.0))
            body = answer.body
            if cause := fault_of(answer.status, body):
                raise Broken("unhealthy", cause)
        return mode_of(body)

    async def _second_call(self, first: Session | None, opening: list[Step], step: Step) -> None:
        if first is None or first.closed:
            self._not_run(step.name, step.proves, first)
            return
        try:
            second = await self._connect()
        except Unreachable as error:
            with self._check(step.name, step.proves):
                raise Broken(error.fault.kind, f"no second connection: {error.fault.cause}") from None
            return
        for quiet in opening:
            await second.carry_out(quiet)
        await self._step(second, step)
        await second.drop()

    async def _step(self, session: Session | None, step: Step) -> None:
        if session is None or session.closed:
            self._not_run(step.name, step.proves, session)
            return
        self._tell(f"📤 Sending: {step.name}")
        with self._check(step.name, step.proves):
            exchange = await session.carry_out(step, lambda: self._tell(f"📨 Received response for {step.name}"))
            if self._loops_marks and not step.name.startswith("MARK"):
                exchange = _without_marks(exchange)
            step.judge(exchange)

    @property
    def _loops_marks(self) -> bool:
        return any(check.finding is not None and check.finding.problem == "mark-loop" for check in self.checks)

    @contextlib.contextmanager
    def _check(self, name: str, proves: str, unreachable: str = "{0.cause}") -> Iterator[None]:
        """Time the block and add it as a check, failed if it raises `Broken` or Unreachable.

        ``unreachable`` is the format of the cause then, from the `Fault`.
        """
        finding, began = None, time.perf_counter()
        try:
            yield
        except Broken as broken:
            finding = broken.finding
        except Unreachable as error:
            finding = Finding(error.fault.kind, unreachable.format(error.fault))
        ms = round((time.perf_counter() - began) * 1000, 3)
        self._add(Check(name, self._rate, "fail" if finding else "pass", proves, finding, ms))

    def _not_run(self, name: str, proves: str, session: Session | None) -> None:
        cause = "there is no connection" if session is None else f"the server closed the connection {session.closed}"
        self._add(Check(name, self._rate, "not-run", proves, Finding("not-run", cause)))

    def _add(self, check: Check) -> None:
        self.checks.append(check)
        self._tell(check)


def _without_marks(exchange: Exchange) -> Exchange:
    """Drop marks from an exchange, so that later checks do not fail for a server already found to send marks for ever."""
    kept = tuple(message for message in exchange.received if judges.event_of(message) != "mark")
    return dataclasses.replace(exchange, received=kept)
