"""Test calls of the operator, on both engines: marked only if they show a token of the host."""

import asyncio
from pathlib import Path

from exotel_phone import call_token

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import eventually


def test_lines_of_a_test_call_are_marked(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(None, "--log-format", "json", "--admin-socket", str(tmp_path / "worker.sock"))
    token = call_token.token(tmp_path / "test-call-key")
    assert token

    async def call(sid: str, **headers: str) -> None:
        async with Phone(server.url(), additional_headers=headers) as phone:
            await phone.open(sid, from_="09876543210", to="02012345678")
            await phone.converse(wire.audio(3), sid)
            await phone.send(wire.stop(sid))

    def marked(sid: str) -> set[str]:
        lines = eventually(lambda: [line for line in server.fields("close") if line["stream_sid"] == sid], f"the end of {sid}")
        return {line.get("ours", "") for line in lines}

    asyncio.run(call("ours", **{call_token.HEADER: token}))
    asyncio.run(call("forged", **{call_token.HEADER: token[:-1] + "x"}))
    asyncio.run(call("anybody"))
    assert [marked(sid) for sid in ("ours", "forged", "anybody")] == [{"1"}, {""}, {""}]
    assert token not in server.log()
