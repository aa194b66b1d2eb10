"""Watch one live call for one client of the tap."""

import base64
import logging
import time
from collections.abc import Iterable
from typing import Final, Protocol

from exotel_ws.call import Call, Phase
from exotel_ws.tap.held import Held
from exotel_ws.tap.queue import Subscriber, line

_PENDING: Final = 256 * 1024
"""Most bytes of one connection that are held until its start shows if it is asked for."""

log = logging.getLogger("exotel_ws.server")


class Watched(Protocol):
    """The part of a `exotel_ws.stream.Stream` that the tap uses."""

    call: Call
    rate_asked: int | None
    watches: "tuple[Watch, ...]"


class Watch:
    """Send one call to one subscriber. No method raises: a fault ends the subscription, not the call."""

    def __init__(self, subscriber: Subscriber, stream: Watched, instance: str, held: Held) -> None:
        self.subscriber = subscriber
        self._held = held
        self._stream = stream
        self._call = stream.call
        self._conn = stream.call.conn_id
        self._redactor = subscriber.redactor()
        self._pending: list[bytes] | None = []
        self._pending_size = self._pending_lost = 0
        self._counted = False
        self._joined = bool(stream.call.last_event)
        self._opening = self._open(instance)
        if not (subscriber.asked.call or subscriber.asked.number or subscriber.asked.next) or self._is_asked_for():
            self._tell()

    def received(self, raw: str | bytes) -> None:
        """Record a message from Exotel; call this before it is handled."""
        self._note("exotel", raw)

    def answered(self, messages: Iterable[str]) -> None:
        """Record messages of the server; call this before they are sent."""
        for message in messages:
            self._note("server", message)
        if self._call.phase is not Phase.OPENED:
            self._start()

    def closed(self, ended: str, code: int) -> None:
        """Record the end of the connection."""
        subscriber = self.subscriber
        asked = subscriber.asked
        waits = subscriber.started < asked.next and not (asked.call or asked.number) and not subscriber.over.is_set()
        if self._pending is not None and waits:
            self._tell()  # It never became a call; a client that waits for the next one wants to know.
        if self._pending is None:
            subscriber.live -= 1
            record = {"at": subscriber.now(), "conn": self._conn, "ended": ended, "code": code}
            subscriber.put_mark(line("close", record), self._conn)
            if self._counted:
                subscriber.call_ended()
        self.forget()

    def forget(self) -> None:
        """Drop the records that are held back, and give back their bytes."""
        self._held.give(self._pending_size)
        self._pending_size = 0
        if self._pending:
            self._pending = []

    def _open(self, instance: str) -> bytes:
        call = self._call
        record: dict[str, object] = {
            "at": self.subscriber.now(),
            "conn": self._conn,
            "remote": call.remote_host,
            "rate_asked": str(self._stream.rate_asked or ""),
            "instance": instance,
        }
        if self._joined:
            start, redactor = call.start, self._redactor
            redactor.learn(start.from_, start.to)
            record |= {"joined": True, "call_sid": redactor.word(start.call_sid), "stream_sid": redactor.word(start.stream_sid)}
            record |= {"from": redactor.person(start.from_), "to": redactor.person(start.to)}
        return line("open", record)

    def _is_asked_for(self) -> bool:
        return self._call.phase is Phase.STARTED and self.subscriber.wants(self._call)

    def _start(self) -> None:
        """Decide if the call, which has started, is asked for; if not, stop watching it."""
        if self._counted:
            return
        if self._pending is None or self.subscriber.wants(self._call):
            self._counted = True
            self.subscriber.started += 1
            self._tell()
        else:
            self._stream.watches = tuple(watch for watch in self._stream.watches if watch is not self)
            self.forget()

    def _tell(self) -> None:
        """Send the records that were held back, and every one from now on."""
        if self._pending is None:
            return
        subscriber = self.subscriber
        subscriber.live += 1
        if self._joined:
            subscriber.incomplete = subscriber.incomplete or "a call was joined while it was going on"
        subscriber.put_opening(self._opening, self._conn)
        for record in self._pending:
            subscriber.put(record, self._conn)
        if self._pending_lost:
            subscriber.lose(self._conn, self._pending_lost)
        self._pending = None
        self.forget()

    def _note(self, side: str, raw: str | bytes) -> None:
        subscriber = self.subscriber
        if subscriber.over.is_set():
            self.forget()
            return
        if subscriber.busy():
            self._lose()
            return
        began = time.thread_time()
        try:
            record = self._message(side, raw)
        except Exception:
            log.exception("[%s] 💥 The tap failed; the call goes on", self._conn)
            subscriber.incomplete = "the tap failed, see the journal"
            subscriber.finish("the tap failed")
            return
        if self._pending is None:
            subscriber.put(record, self._conn)
        else:
            self._hold(self._pending, record)
        subscriber.spend(time.thread_time() - began)

    def _hold(self, pending: list[bytes], record: bytes) -> None:
        room = self._pending_size + len(record) <= _PENDING
        if room and (size := self._held.take(record, self._pending_size)):
            pending.append(record)
            self._pending_size += size
        else:
            self._lose()

    def _lose(self) -> None:
        if self._pending is None:
            self.subscriber.lose(self._conn)
        else:
            self._pending_lost += 1

    def _message(self, side: str, raw: str | bytes) -> bytes:
        record = {"at": self.subscriber.now(), "conn": self._conn, "from": side}
        if isinstance(raw, str):
            text, omitted = self._redactor.message(raw)
            record["text"] = text
        else:
            data, omitted = self._redactor.binary(raw)
            record |= {"text": base64.b64encode(data).decode(), "binary": True}
        if omitted:
            record["omitted"] = omitted
        return line("message", record)
