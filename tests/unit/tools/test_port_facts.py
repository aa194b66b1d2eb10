"""Reading the kernel's and systemd's tables."""

import sys
from pathlib import Path

import pytest
from exotelctl.port import sockets, units

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
    found = sockets.on_port(8765, proc)
    assert [(item.family, item.shown, item.inode, item.backlog) for item in found.listeners] == [
        ("tcp4", "0.0.0.0:8765", 11, 3),
        ("tcp6", "[::]:8765", 21, 0),
        ("tcp6", "[::1]:8765", 22, 0),
    ]
    assert (found.closing, found.connections) == (1, 1)


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    assert sockets.on_port(8765, table(tmp_path, "", None)).listeners == ()


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
"""


@pytest.mark.parametrize(("port", "unit"), [(8765, "exotel-ws.socket"), (8766, "other.socket"), (22, "ssh.socket"), (876, "")])
def test_socket_unit_of_a_port(port: int, unit: str) -> None:
    assert units.parse_sockets(SOCKETS, port) == unit


@pytest.mark.parametrize(
    ("unit", "ours"),
    [("exotel-ws@g-1.service", True), ("exotel-ws.service", True), ("exotel-ws-shutdown.service", False), ("x.service", False)],
)
def test_our_units(unit: str, ours: bool) -> None:
    assert units.is_ours(unit) == ours
