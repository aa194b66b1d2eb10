"""The admin socket of an instance."""

import asyncio
import socket
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually, fetch_unix

INSTANCE = "20261122T101500-ab12cd34-1"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    return tmp_path_factory.mktemp("admin") / f"{INSTANCE}.sock"


@pytest.fixture(scope="module")
def instance(session_server: StartServer, admin: Path) -> ServerProcess:
    return session_server({}, "--instance", INSTANCE, "--admin-socket", str(admin))


def test_health(instance: ServerProcess, admin: Path) -> None:
    status, health = fetch_unix(admin, "/health")
    assert status == 200
    assert health == {
        "status": "ok",
        "instance": INSTANCE,
        "generation": INSTANCE.removesuffix("-1"),
        "release": "unreleased",
        "pid": instance.process.pid,
        "state": "serving",
        "calls_live": health["calls_live"],
    }
    assert fetch_unix(admin, "/nothing")[0] == 404


def test_status_of_an_idle_instance(instance: ServerProcess, admin: Path, engine: str) -> None:
    status = eventually(lambda: _idle(admin), "no connection")
    assert datetime.now(UTC) >= datetime.fromisoformat(status.pop("since"))
    assert status.pop("uptime_s") >= 0
    status.pop("calls_total")
    assert status == {
        "instance": INSTANCE,
        "generation": INSTANCE.removesuffix("-1"),
        "release": "unreleased",
        "version": "0.1.0",
        "pid": instance.process.pid,
        "engine": engine,
        "mode": "echo",
        "state": "serving",
        "calls_live": 0,
        "connections": 0,
        "taps": 0,
        "calls": [],
        "calls_unlisted": 0,
    }


def test_status_names_the_live_calls(instance: ServerProcess, admin: Path) -> None:
    async def calls() -> None:
        async with Phone(instance.url()) as talking, Phone(instance.url()):
            await talking.open("sid-1", call_sid="call-1")
            await talking.converse(wire.audio(7), "sid-1")
            status = fetch_unix(admin, "/status")[1]
            assert (status["calls_live"], status["connections"]) == (1, 2)
            (call,) = status["calls"]
            assert call.pop("age_s") >= call.pop("last_event_age_s") >= 0
            assert call.pop("conn_id").startswith("conn_")
            expected = {"call_sid": "call-1", "stream_sid": "sid-1", "frames_in": 7, "frames_out": 7, "last_event": "media"}
            expected |= {"from": "09876543210", "to": "02012345678", "remote": "127.0.0.1", "rate": 8000, "ours": False}
            assert call == expected
            await talking.send(wire.stop("sid-1"))
            eventually(lambda: fetch_unix(admin, "/status")[1]["calls"] == [], "no live call after stop")

    asyncio.run(calls())


def test_it_is_not_for_everybody(instance: ServerProcess, admin: Path) -> None:
    assert stat.S_IMODE(admin.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "request_bytes", [b"POST /health HTTP/1.1\r\n\r\n", b"\xff\xfe\r\n\r\n", b"\r\n\r\n", b"x" * 100_000, b"", b"GET"]
)
def test_nonsense_does_no_harm(instance: ServerProcess, admin: Path, request_bytes: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(admin))
        client.sendall(request_bytes)
    assert fetch_unix(admin, "/health")[0] == 200
    assert "Traceback" not in instance.log()


def test_a_dead_instance_leaves_no_obstacle(start_server: StartServer, tmp_path: Path) -> None:
    admin = tmp_path / "a.sock"
    start_server({}, "--admin-socket", str(admin)).kill()
    assert admin.exists()
    server = start_server({"drain": {"grace_s": 0}}, "--admin-socket", str(admin))
    assert fetch_unix(admin, "/health")[0] == 200
    server.process.terminate()
    assert server.ended() == 0
    assert not admin.exists()


def _idle(admin: Path) -> dict[str, object]:
    status = fetch_unix(admin, "/status")[1]
    return status if status["connections"] == 0 else {}
