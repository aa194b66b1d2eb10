"""``health`` against real sockets: its answer, or the reason for none."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from exotel_phone.exits import Exit
from exotelctl import health
from exotelctl.edge.config import EdgeConfig, Unusable
from exotelctl.edge.facts import Edge, State
from exotelctl.options import HealthOptions

from .echo_server import running

NOWHERE = Path("/nowhere/settings.toml")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def ask(url: str, *, json: bool = False, timeout_s: float = 2.0) -> Exit:
    return health.run(HealthOptions(url, NOWHERE, timeout_s, json))


def against(handler: Handler) -> Exit:
    async def main() -> Exit:
        async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(ask, f"127.0.0.1:{port}", json=True)

    return asyncio.run(main())


def replying(raw: bytes, *, then_close: bool = True) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        if then_close:
            writer.close()
        else:
            await asyncio.sleep(5)

    return handler


def test_a_healthy_server(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Exit:
        async with running() as server:
            return await asyncio.to_thread(ask, server.url)

    assert asyncio.run(main()) == Exit.OK
    said = capsys.readouterr().out
    assert '/health → 200 {"status":"ok","service":"exotel-passthrough","mode":"echo"}' in said
    assert "/ready → 200" in said


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (replying(b"SSH-2.0-OpenSSH_9.2\r\n"), "not-http"),
        (replying(b"HTTP/1.1 banana\r\n\r\n"), "not-http"),
        (replying(b""), "reset"),
        (replying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", then_close=False), "timeout"),
        (replying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "unhealthy"),
        (replying(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), "unhealthy"),
    ],
)
def test_what_is_wrong_is_named(handler: Handler, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert against(handler) == Exit.PROBLEM
    assert json.loads(capsys.readouterr().out)["probes"][0]["problem"]["kind"] == kind


def test_a_kept_open_connection_does_not_cost_the_timeout(capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"status":"ok"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    assert against(replying(answer, then_close=False)) == Exit.OK
    assert json.loads(capsys.readouterr().out)["probes"][0].get("problem") is None


def test_draining_is_a_problem_that_names_itself(capsys: pytest.CaptureFixture[str]) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/health" in request:
            status, body = b"200 OK", b'{"status":"ok"}'
        else:
            status, body = b"503 No", b'{"status":"draining"}'
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    assert against(handler) == Exit.PROBLEM
    first, second = json.loads(capsys.readouterr().out)["probes"]
    assert first["problem"] is None
    assert second["problem"]["kind"] == "draining"


def test_refused_says_what_to_run_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("ws://127.0.0.1:9") == Exit.PROBLEM
    assert "exotelctl port-clean --port 9 --dry-run" in capsys.readouterr().out


def of_this_host(folder: Path, *, json: bool = False) -> Exit:
    async def main() -> Exit:
        async with running() as server:
            file = folder / "settings.toml"
            file.write_text(f'host = "0.0.0.0"\nport = {server.port}\n')
            return await asyncio.to_thread(health.run, HealthOptions(None, file, 1.0, json))

    return asyncio.run(main())


def test_without_a_url_the_settings_say_the_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert of_this_host(tmp_path) == Exit.OK
    assert "http://127.0.0.1:" in capsys.readouterr().out


def test_a_stopped_edge_of_this_host_is_a_problem_though_the_server_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Edge(EdgeConfig(("voice.example.com",), "acme"), State("inactive"))
    monkeypatch.setattr(health, "look_at_unit", lambda: stopped)
    assert of_this_host(tmp_path) == Exit.PROBLEM
    *served, cause, cure = capsys.readouterr().out.splitlines()
    assert all(line.startswith("✅") for line in served)
    assert cause == "❌ haproxy.service is inactive: no new call gets in"
    assert cure == "   next: systemctl status haproxy.service; sudo exotelctl doctor"
    assert of_this_host(tmp_path, json=True) == Exit.PROBLEM
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["edge_problem"]["kind"]) == (False, "edge-down")
    assert ask("ws://127.0.0.1:9", json=True) == Exit.PROBLEM
    assert json.loads(capsys.readouterr().out)["edge_problem"] is None


def test_an_edge_that_cannot_be_read_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable() -> Edge:
        raise Unusable("edge.json: not a JSON object")

    monkeypatch.setattr(health, "look_at_unit", unusable)
    assert of_this_host(tmp_path) == Exit.PROBLEM
    assert "❌ edge.json: not a JSON object\n" in capsys.readouterr().out
