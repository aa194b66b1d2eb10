"""Reading the kernel's and systemd's tables."""

import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest
from exotelctl.port import diag, process, sockets, units
from exotelctl.port.facts import Socket
from exotelctl.port.gather import gather

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the recorded tables are of a little-endian kernel")


def row(local: str, remote: str, state: str, inode: int, waiting: int = 0) -> str:
    return f"   0: {local} {remote} {state} 00000000:{waiting:08X} 00:00000000 00000000     0        0 {inode} 1 0 100 0 0 10 0\n"


def table(folder: Path, tcp: str, tcp6: str | None) -> Path:
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text(HEAD + tcp)
    if tcp6 is not None:
        (folder / "net" / "tcp6").write_text(HEAD + tcp6)
    return folder


def test_listeners_connections_and_time_wait_are_told_apart(tmp_path: Path) -> None:
    any6, loop6 = "0" * 32, "00000000000000000000000001000000"
    proc = table(
        tmp_path,
        row("00000000:223D", "00000000:0000", "0A", 11, waiting=3)  # ours, listening
        + row("0100007F:223D", "0100007F:C000", "01", 12)  # accepted
        + row("0100007F:223D", "0100007F:C001", "06", 0)  # TIME_WAIT
        + row("0100007F:C000", "0100007F:223D", "01", 13)  # a client of ours: another local port
        + row("00000000:0050", "00000000:0000", "0A", 14),  # another listener
        row(f"{any6}:223D", f"{any6}:0000", "0A", 21) + row(f"{loop6}:223D", f"{any6}:0000", "0A", 22),
    )
    found = sockets.sorted_out(sockets.read(8765, proc))
    assert [(item.family, item.shown, item.inode, item.waiting) for item in found.listeners] == [
        ("tcp4", "0.0.0.0:8765", 11, 3),
        ("tcp6", "[::]:8765", 21, 0),
        ("tcp6", "[::1]:8765", 22, 0),
    ]
    assert (found.closing, len(found.connections), found.accepted) == (1, 1, {12})


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    assert sockets.read(8765, table(tmp_path, "", None)) == []


def both(port: int) -> tuple[list[Socket], list[Socket]]:
    """Return the kernel's answer and its tables, sorted, from a moment at which no connection changes its state."""
    while True:
        before = sorted(sockets.read(port), key=repr)
        said = sorted(diag.on_port(port), key=repr)
        after = sorted(sockets.read(port), key=repr)
        if before == after:
            return said, after


def test_the_kernels_answer_is_what_its_tables_say() -> None:
    """The kernel's answer equals its tables: listening, accepted, not yet accepted, just closed, on both families."""
    with contextlib.ExitStack() as stack:
        four = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = four.getsockname()[1]
        stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        stack.enter_context(four.accept()[0])
        four.accept()[0].close()
        assert clients[1].recv(1) == b""
        clients[1].close()
        said, tables = both(port)
        assert said == tables
        assert {each.family for each in said} == {"tcp4", "tcp6"}
        found = sockets.on_port(port)
    assert [(item.shown, item.waiting) for item in found.listeners] == [(f"127.0.0.1:{port}", 1), (f"[::1]:{port}", 0)]
    assert (found.closing, len(found.connections)) == (1, 2)


def test_without_netlink_the_tables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(diag, "on_port", refuse)
        (listener,) = sockets.on_port(server.getsockname()[1]).listeners
        assert listener.inode == os.fstat(server.fileno()).st_ino


@pytest.mark.parametrize(
    ("cgroup", "unit", "user"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service", False),
        ("0::/system.slice/system-exotel\\x2dws.slice/exotel-ws@g-1.service\n", "exotel-ws@g-1.service", False),
        ("9:name=systemd:/system.slice/foo.service\n4:memory:/x\n0::/\n", "foo.service", False),
        ("9:name=systemd:/\n0::/system.slice/foo.service\n", "foo.service", False),
        ("9:name=systemd:/\n0::/\n", "", False),
        ("0::/init.scope\n", "", False),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "web.service", True),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-xterm-12.scope\n", "", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "user@1000.service", False),
        ("0::/system.slice/foo.service/worker\n", "foo.service", False),
        ("0::/system.slice/foo.service (deleted)\n", "foo.service", False),
        ("0::/system.slice/docker-1f.scope\n", "", False),
        # Units of a container's systemd belong to the container.
        ("0::/machine.slice/systemd-nspawn@c.service/payload/system.slice/nginx.service\n", "systemd-nspawn@c.service", False),
        ("0::/system.slice/docker-1f.scope/system.slice/nginx.service\n", "docker-1f.scope", False),
        ("0::/machine.slice/machine-c.scope/payload/system.slice/exotel-ws@g-1.service\n", "machine-c.scope", False),
        ("0::/lxc.payload.web/system.slice/nginx.service\n", "lxc.payload.web", False),
        ("", "", False),
        ("nonsense", "", False),
    ],
)
def test_unit_of_a_cgroup(cgroup: str, unit: str, user: bool) -> None:
    assert units.of_cgroup(cgroup) == units.Unit(unit, user)


SOCKETS = """\
/run/dbus/system_bus_socket dbus.socket                      dbus.service
[::]:22                     ssh.socket                       ssh.service
0.0.0.0:8765                exotel-ws.socket                 exotel-ws@20261122T101500-ab12cd34-1.service
[::]:8766                   other.socket                     -
[::]:8765                   other.socket                     -
"""


@pytest.mark.parametrize(
    ("port", "found"),
    [(8765, ["exotel-ws.socket", "other.socket"]), (8766, ["other.socket"]), (22, ["ssh.socket"]), (876, [])],
)
def test_socket_units_of_a_port(port: int, found: list[str]) -> None:
    assert units.parse_sockets(SOCKETS, port) == found


def test_of_two_socket_units_the_one_that_is_in_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_systemctl", lambda *_: SOCKETS)
    assert [units.socket_unit(port) for port in (8765, 22, 876)] == ["other.socket", "ssh.socket", ""]


@pytest.mark.parametrize(
    ("unit", "ours"),
    [("exotel-ws@g-1.service", True), ("exotel-ws.service", True), ("exotel-ws-shutdown.service", False), ("x.service", False)],
)
def test_our_units(unit: str, ours: bool) -> None:
    assert units.is_ours(unit) == ours


@pytest.mark.parametrize(
    ("parent", "program", "begins"),
    [
        (1, "/usr/lib/systemd/systemd", True),
        (1, "/usr/lib/systemd/systemd-executor", True),
        (1, "/usr/bin/python3.11", False),
        (1, "/tmp/systemd", False),
        (8, "/usr/lib/systemd/systemd", False),
        (1, "", False),
    ],
)
def test_a_child_of_systemd_is_about_to_become_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: int, program: str, begins: bool
) -> None:
    for pid, above, path in ((1, 0, "/usr/lib/systemd/systemd"), (77, parent, program)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / f"{pid}/stat").write_text(f"{pid} ((xotel-ws)) S {above} 1 1 0")
        if path:
            (tmp_path / f"{pid}/exe").symlink_to(path)
    monkeypatch.setattr(process, "_PROC", tmp_path)
    assert process.begins_service(77) is begins
    (tmp_path / "1/exe").unlink()  # who is not root does not see it
    assert not process.begins_service(77)


@pytest.mark.parametrize(
    ("begins", "cgroup", "seen"),
    [(True, "0::/init.scope\n", False), (False, "0::/init.scope\n", True), (True, "0::/system.slice/cups.service\n", True)],
)
def test_who_is_about_to_become_a_service_is_no_stranger_before_it_is_in_its_unit(
    monkeypatch: pytest.MonkeyPatch, begins: bool, cgroup: str, seen: bool
) -> None:
    monkeypatch.setattr(process, "begins_service", lambda _pid: begins)
    monkeypatch.setattr(process, "cgroup_text", lambda _pid: cgroup)
    monkeypatch.setattr(units, "active_states", lambda names: dict.fromkeys(names, "active"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        holders = gather(listener.getsockname()[1], thorough=True).holders
    assert [holder.pid for holder in holders] == ([os.getpid()] if seen else [])
