"""Bound on the memory of a picows connection before its stream starts.

picows keeps an incomplete message, up to the largest allowed size: a stranger's half message would stay as long as he
likes. So until the start, all bytes pass through `Early`, which counts them.
"""

import asyncio
from typing import Final

from exotel_ws.engines.picows_connection import PicowsConnection

_FRAME_HEAD: Final = 14
"""Bytes of the longest head of a masked frame."""


class Early(asyncio.BufferedProtocol):
    """Protocol in front of picows' own until the stream starts; it then takes itself out of the connection."""

    def __init__(self, protocol: asyncio.BufferedProtocol, connection: PicowsConnection, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._connection = connection
        self._transport = transport
        self.unread = 0
        """Bytes of an incomplete frame; the connection sets it at each frame."""
        connection.early = self

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._protocol.get_buffer(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        self.unread += nbytes
        self._protocol.buffer_updated(nbytes)
        if self._connection.early is not self:
            if not self._transport.is_closing():
                self._transport.set_protocol(self._protocol)
        elif self.unread > self._connection.pace.most_bytes + _FRAME_HEAD:
            self._connection.refuse_size(self.unread)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()
