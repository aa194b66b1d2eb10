"""Messages to systemd, and sockets from it."""

import os
import socket
from pathlib import Path

import pytest
from exotel_ws import systemd


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_notify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@exotel-ws-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(address.replace("@", "\0") if kind == "abstract" else address)
        supervisor.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        systemd.notify("READY=1\nSTATUS=Serving")
        assert supervisor.recv(4096) == b"READY=1\nSTATUS=Serving"


def test_notify_without_a_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "interval"),
    [
        ("10000000", None, 5.0),
        ("10000000", "ours", 5.0),
        ("10000000", "1", None),
        ("", None, None),
        (None, None, None),
        ("soon", None, None),
    ],
)
def test_watchdog_interval(monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, interval: float | None) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert systemd.watchdog_interval_s() == interval


@pytest.mark.parametrize("pid", [None, "1", ""])
def test_sockets_meant_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch, pid: str | None) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.delenv("LISTEN_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("LISTEN_PID", pid)
    assert systemd.inherited_sockets() == []


def test_inherited_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(systemd, "FIRST_FD", os.dup(listener.fileno()))
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        (inherited,) = systemd.inherited_sockets()
        with inherited:
            assert inherited.getsockname() == listener.getsockname()
            assert inherited.proto == socket.IPPROTO_TCP
            assert not inherited.get_inheritable()
            assert not inherited.getblocking()
