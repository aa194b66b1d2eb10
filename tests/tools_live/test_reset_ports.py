"""A port is cleared of the agreed processes, of no others, and its freedom is proven."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from socket import create_server

import pytest
from exotelctl.port import process
from exotelctl.reset import ports
from exotelctl.reset.ports import PortHeld

from .own_ports import free_port

SERVE = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print(flush=True); sys.stdin.read()"


@contextmanager
def stranger() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Start a process that listens; yield it and its port."""
    port = free_port()
    serve = [sys.executable, "-c", SERVE, str(port)]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout
        try:
            assert one.stdout.readline() == "\n"
            yield port, one
        finally:
            one.kill()


def test_whom_was_agreed_to_is_ended_and_the_port_proven_free() -> None:
    with stranger() as (port, one):
        identity = process.identity(one.pid)
        assert identity
        [ending] = ports.clear(port, {identity}, "me")
        assert (ending.holder.pid, ending.outcome) == (one.pid, "ended")
        assert f"0.0.0.0:{port}" in ports.prove(port)


def test_who_came_later_gets_no_signal_and_is_named() -> None:
    with stranger() as (port, one):
        with pytest.raises(PortHeld, match=rf"port {port} is held by what was not there .*pid {one.pid} "):
            ports.clear(port, set(), "me")
        assert one.poll() is None


def test_a_port_that_stays_held_is_not_called_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_BIND_S", 0.2)
    with closing(create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
        with pytest.raises(PortHeld, match=rf"port {port} is not free.*exotelctl port-clean --port {port} --dry-run"):
            ports.prove(port)
