"""Serves one connection, from its handshake to its end."""

import asyncio
import logging
import secrets
import time
from typing import Any, Final

from exotel_ws.call import Call, HangUp, Phase
from exotel_ws.engine import Connection
from exotel_ws.handshake import Credentials, Target
from exotel_ws.settings import Limits, Settings
from exotel_ws.tally import Tally

_AFTER_STOP_S: Final = 5.0
"""Exotel drops the connection right after stop; a client that does not is closed after this."""


class Stream:
    """A connection and the call on it. `serve` returns when the connection has ended, whoever ended it."""

    def __init__(self, connection: Connection, settings: Settings, tally: Tally, credentials: Credentials | None) -> None:
        target = Target.parse(connection.request.path)
        if credentials and (credentials.in_header(connection.request.headers) or credentials.in_target(target)):
            credentials = None
        self._connection = connection
        self._tally = tally
        self._deadline = _Deadline(connection, settings.limits)
        self.call = Call(
            conn_id=f"conn_{secrets.token_hex(6)}",
            query=target.query,
            settings=settings,
            tally=tally,
            credentials=credentials,
            on_phase=self._enter,
        )

    async def serve(self, closed: type[Exception]) -> None:
        """Converse until the end; ``closed`` is the engine's exception for it. A fault of this call never leaves it."""
        call, connection = self.call, self._connection
        self._tally.connections += 1
        call.log("🔌 WebSocket connected", event="open")
        call.log(f"Sample rate: {call.sample_rate} Hz", event="open")
        call.log(f"Remote IP: {_host(connection.remote_address)}", event="open")
        self._deadline.enter(Phase.OPENED)
        hang_up: HangUp | None = None
        try:
            await self._converse()
        except closed:
            pass
        except HangUp as error:
            hang_up = error
            call.log.warning(f"✂️ Closing with {error.code}: {error.reason}", event="hang_up")
            await connection.close(error.code, error.reason)
        except Exception:
            hang_up = HangUp(1011, "internal error")
            logging.getLogger("exotel_ws.call").exception("[%s] 💥 This call failed; the others go on", call.conn_id)
            await connection.close(hang_up.code, hang_up.reason)
        finally:
            self._deadline.cancel()
            self._tally.connections -= 1
            if call.phase is Phase.STARTED:
                self._tally.calls_live -= 1
            self._ended(hang_up or self._deadline.passed)

    async def close(self, code: int, reason: str) -> None:
        """Close the connection from our side; `serve` then ends."""
        await self._connection.close(code, reason)

    async def _converse(self) -> None:
        # Once a frame: names are bound outside the loop.
        receive, send, take = self._connection.recv, self._connection.send, self.call.receive
        observe, clock = self._tally.observe_latency, time.perf_counter
        while True:
            raw = await receive()
            arrived = clock()
            messages = take(raw)
            if messages:
                for message in messages:
                    await send(message)
                observe(clock() - arrived)

    def _enter(self, phase: Phase) -> None:
        if phase is Phase.STARTED:
            self._tally.calls += 1
            self._tally.calls_live += 1
        elif self.call.start.stream_sid:
            self._tally.calls_live -= 1
        self._deadline.enter(phase)

    def _ended(self, by_us: HangUp | None) -> None:
        call, code = self.call, self._connection.close_code or 1006
        if call.phase is Phase.OPENED:
            how = "no_start"
        elif by_us:
            how = "closed_by_server"
        elif call.phase is Phase.STOPPED:
            how = "stop"
        elif code in (1000, 1001):
            how = "closed_by_client"
        else:
            how = "no_stop"
            call.log.warning(f"⚠️ Connection lost without stop (code {code}): the network or a leg broke", event="lost")
        self._tally.ended[how] += 1
        call.log("👋 Connection closed", event="close")


class _Deadline:
    """Bounds each phase of a connection: one timer, armed anew at every change."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None
        self.passed: HangUp | None = None

    def enter(self, phase: Phase) -> None:
        limits = self._limits
        match phase:
            case Phase.OPENED:
                self._arm(limits.start_timeout_s, HangUp(1008, f"no start within {limits.start_timeout_s:g} s"))
            case Phase.STARTED:
                self._arm(limits.max_call_s, HangUp(1000, f"longer than limits.max_call_s = {limits.max_call_s:g} s"))
            case Phase.STOPPED:
                self._arm(_AFTER_STOP_S, HangUp(1000, "still open after stop"))

    def _arm(self, delay_s: float, hang_up: HangUp) -> None:
        self.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._pass, hang_up)

    def _pass(self, hang_up: HangUp) -> None:
        self.passed = hang_up
        self._closing = asyncio.ensure_future(self._connection.close(hang_up.code, hang_up.reason))

    def cancel(self) -> None:
        if self._timer:
            self._timer.cancel()


def _host(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) and address else "local"
