"""The record that an operator reads when keys are rotated: which is in use, and where; a retired one is called so."""

import asyncio
import hashlib
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually

OLD, NEW = "exotel:0ld-Very-Secret-Key", "exotel:n3w-Very-Secret-Key"


def mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def started(start_server: StartServer, folder: Path, *keys: str) -> ServerProcess:
    (folder / "keys").write_text("\n".join(keys) + "\n")
    settings = {"auth": {"required": True, "credential": str(folder / "keys")}}
    return start_server(settings, "--log-format", "json", "--key-usage", str(folder / "usage.json"))


async def call(server: ServerProcess, target: str = "/", userinfo: str = "", **start: Any) -> bool:
    """Return True if a call is echoed, False if it is refused for its key."""
    async with Phone(server.url(target, userinfo)) as phone:
        await phone.open(**start)
        try:
            return await phone.converse([b"abcd"]) == [b"abcd"]
        except ConnectionClosed:
            assert await phone.closed() == (1008, "authentication failed")
            return False


def recorded(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "usage.json").read_text())["keys"]
    return found


def drained(server: ServerProcess) -> None:
    server.signal(signal.SIGTERM)
    assert server.ended() == 0


def test_the_use_of_each_key_is_recorded_and_a_retired_one_is_called_so(start_server: StartServer, tmp_path: Path) -> None:
    server = started(start_server, tmp_path, OLD, NEW)
    secret = NEW.partition(":")[2]
    for target, userinfo, start in (
        ("/", OLD, {}),
        ("/", OLD, {}),
        (f"/{secret}", "", {}),
        (f"/?token={secret}", "", {}),
        ("/", "", {"custom_parameters": {"token": secret}}),
    ):
        assert asyncio.run(call(server, target, userinfo, **start))
    drained(server)
    keys = recorded(tmp_path)
    counts = {key: {place: uses["count"] for place, uses in keys[mark(key)]["places"].items()} for key in (OLD, NEW)}
    assert counts == {OLD: {"header": 2}, NEW: {"path": 1, "query": 1, "start": 1}}
    assert {keys[mark(key)]["name"] for key in (OLD, NEW)} == {"exotel"}

    server = started(start_server, tmp_path, NEW)
    eventually(lambda: recorded(tmp_path)[mark(OLD)]["retired"], "the old key is retired")
    with server.raw() as client:
        assert client.handshake("/", f"Authorization: Bearer {OLD}") == 401
    with server.raw() as client:
        assert client.handshake("/", "Authorization: Bearer wrong") == 401
    assert not asyncio.run(call(server, f"/{OLD.partition(':')[2]}"))
    assert not asyncio.run(call(server, custom_parameters={"token": OLD.partition(":")[2]}))
    assert not asyncio.run(call(server, "/wrong"))
    assert not asyncio.run(call(server))
    said = eventually(lambda: server.fields("refused")[5:] and server.fields("refused"), "six refusals")
    assert [line["detail"] for line in said] == ["retired", "wrong", "retired", "retired", "wrong", "missing"]
    assert server.metric('handshakes_rejected_total{reason="credentials"}') == 6
    drained(server)
    assert recorded(tmp_path)[mark(OLD)]["places"] == {
        "header": {"count": 2, "last": keys[mark(OLD)]["places"]["header"]["last"]}
    }
    for text in ((tmp_path / "usage.json").read_text(), server.log()):
        assert not any(key.partition(":")[2] in text for key in (OLD, NEW))


@pytest.mark.parametrize("fault", ["broken", "a folder", "no folder"])
def test_calls_go_on_whatever_is_wrong_with_the_file(start_server: StartServer, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "state"
    if fault != "no folder":
        folder.mkdir()
    if fault == "broken":
        (folder / "usage.json").write_text('{"keys": {"a"')
    if fault == "a folder":
        (folder / "usage.json").mkdir()
        (folder / "usage.json.broken").write_text("so that it can't be put aside")
    (tmp_path / "keys").write_text(f"{NEW}\n")
    settings = {"auth": {"required": True, "credential": str(tmp_path / "keys")}}
    server = start_server(settings, "--key-usage", str(folder / "usage.json"))
    assert asyncio.run(call(server, userinfo=NEW))
    server.wait_for_log("counted afresh" if fault == "broken" else "use of keys can't be recorded in .*; calls go on")
    drained(server)
    if fault == "broken":
        assert recorded(folder)[mark(NEW)]["places"]["header"]["count"] == 1
    else:
        assert server.log().count("use of keys") == 1
