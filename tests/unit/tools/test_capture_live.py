"""Taps on workers that come and go."""

import asyncio
import socket
from pathlib import Path

import pytest
from exotel_phone.captures.records import Capture, Record, line
from exotelctl.capture import live
from exotelctl.capture.live import Filter

HEAD = Capture(1, "h", "g-1", "r", 1.0, "keep", False)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + line(HEAD))


def test_a_worker_that_does_not_listen_yet_is_tapped_once_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between bind and listen a connection is refused, as it is by the socket of a worker that was killed."""
    monkeypatch.setattr(live, "_LOOK_S", 0.01)

    async def main() -> list[Record]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "g-1.sock"))
            taps = live._Taps(Filter(), tmp_path, pytest.fail)
            looking = asyncio.create_task(taps.look())
            try:
                assert await taps.come(0.1) == []
                async with await asyncio.start_unix_server(_answer, sock=listener):
                    return await taps.come(20)
            finally:
                await taps.close(looking)

    assert asyncio.run(main()) == [HEAD]
