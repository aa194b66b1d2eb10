"""Pause reading from a connection while any part has a reason to."""

import asyncio


class Reading:
    """Pause a transport's reading while at least one reason stands."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reasons: set[str] = set()

    def __contains__(self, reason: str) -> bool:
        return reason in self._reasons

    def pause(self, reason: str) -> None:
        """Read nothing until `resume` is called for the same ``reason``. Idempotent."""
        if not self._reasons and not self._transport.is_closing():
            self._transport.pause_reading()
        self._reasons.add(reason)

    def resume(self, reason: str) -> None:
        """Drop a reason; read again if it was the last one. Idempotent."""
        if reason in self._reasons:
            self._reasons.remove(reason)
            if not self._reasons and not self._transport.is_closing():
                self._transport.resume_reading()

    def only(self, reason: str) -> bool:
        """Return True if ``reason`` alone keeps the transport from being read."""
        return self._reasons == {reason}
