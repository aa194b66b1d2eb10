"""Fields of the journal beside the guide's lines: the facts that the on-call tool judges by."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually


def _call(server: ServerProcess, sid: str, target: str = "/", frames: int = 0, **start: Any) -> None:
    """Place a call of some frames that ends by stop."""

    async def call() -> None:
        async with Phone(server.url(target)) as phone:
            await phone.open(sid, **start)
            await phone.converse(wire.audio(frames), sid)
            await phone.send(wire.stop(sid))
            await phone.silence(0.05)

    asyncio.run(call())


def _last(server: ServerProcess, event: str) -> dict[str, Any]:
    return eventually(lambda: server.fields(event), f"a line about {event}")[-1]


def test_the_close_line_sums_a_call_up(start_server: StartServer) -> None:
    server = start_server({}, "--log-format", "json")
    _call(server, "summed-up", "/?sample-rate=8000", 7)
    closed, opened = _last(server, "close"), server.fields("open")[0]
    assert (opened["remote"], opened["rate"], opened["query"]) == ("127.0.0.1", "8000", "present")
    assert {name: closed[name] for name in ("ended", "code", "frames_in", "frames_out", "rate", "remote", "stream_sid")} == {
        "ended": "stop",
        "code": "1006",
        "frames_in": "7",
        "frames_out": "7",
        "rate": "8000",
        "remote": "127.0.0.1",
        "stream_sid": "summed-up",
    }
    assert int(closed["duration_ms"]) > 0


@pytest.mark.parametrize(
    ("target", "rate", "parameters", "asked", "mismatch"),
    [
        ("/?sample-rate=16000", "8000", {}, "16000", True),
        ("/", "8000", {"sample-rate": "16000"}, "16000", True),
        ("/?sample-rate=16000", "16000", {}, "16000", False),
        ("/", "24000", {}, "", False),
    ],
)
def test_a_rate_that_is_not_the_one_asked_for(
    start_server: StartServer, target: str, rate: str, parameters: dict[str, str], asked: str, mismatch: bool
) -> None:
    server = start_server({}, "--log-format", "json")
    _call(server, "rated", target, rate=rate, custom_parameters=parameters)
    started = next(line for line in server.fields("start") if "rate_asked" in line)
    assert (started["rate"], started["rate_asked"]) == (rate, asked)
    _last(server, "close")
    assert [line["kind"] for line in server.fields("fault")] == (["rate_mismatch"] if mismatch else [])


@pytest.mark.parametrize(
    ("target", "parameters", "detail"),
    [
        ("/", {}, "missing"),
        ("/?sample-rate=8000", {}, "missing"),
        ("/", {"sample-rate": "8000"}, "missing"),
        ("/", {"token": "WRONG"}, "wrong"),
        ("/WRONG", {}, "wrong"),
        ("/?token=WRONG", {}, "wrong"),
    ],
)
def test_a_credential_that_is_wrong_or_never_came(
    start_server: StartServer, tmp_path: Path, target: str, parameters: dict[str, str], detail: str
) -> None:
    (tmp_path / "credentials").write_text("key:SECRET\n")
    auth = {"required": True, "credential": str(tmp_path / "credentials")}
    server = start_server({"auth": auth}, "--log-format", "json")

    async def refused() -> None:
        async with Phone(server.url(target)) as phone:
            await phone.open("refused", custom_parameters=parameters)
            assert (await phone.closed())[0] == 1008

    asyncio.run(refused())
    said = _last(server, "refused")
    assert (said["reason"], said["detail"], said["remote"]) == ("credentials", detail, "127.0.0.1")
    assert "WRONG" not in server.log()


def test_a_wrong_header_is_refused_at_the_handshake(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("key:SECRET\n")
    server = start_server({"auth": {"required": True, "credential": str(tmp_path / "credentials")}}, "--log-format", "json")
    with server.raw() as client:
        client.request("/", "Authorization: Basic a2V5OldST05H")
        assert client.head()[0] == 401
    said = _last(server, "refused")
    assert (said["reason"], said["detail"], said["remote"]) == ("credentials", "wrong", "127.0.0.1")
