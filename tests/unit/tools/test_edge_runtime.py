"""The admin socket of HAProxy: bounded, and understood as HAProxy 2.6 and 3.0 print it."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from exotelctl.edge import runtime
from exotelctl.edge.runtime import Entry, Process, Silent

TABLES = {
    "2.6": """# table: strangers, type: ipv6, size:102400, used:2
0x55c1f5a3c1c8: key=::ffff:192.0.2.77 use=0 exp=598724 gpc0=12 gpc0_rate(600000)=12 conn_rate(10000)=3
0x55c1f5a3c2d8: key=2001:db8:1:2:: use=1 exp=9000 gpc0=0 gpc0_rate(600000)=0 conn_rate(10000)=31

""",
    "3.0": """# table: strangers, type: ipv6, size:102400, used:2
0x7f6a2c0391c8: key=::ffff:192.0.2.77 use=0 exp=598724 shard=0 gpc0=12 gpc0_rate(600000)=12 conn_rate(10000)=3
0x7f6a2c0392d8: key=2001:db8:1:2:: use=1 exp=9000 shard=0 gpc0=0 gpc0_rate(600000)=0 conn_rate(10000)=31

""",
}
PROCESSES = {
    "2.6": """#<PID>          <type>          <reloads>       <uptime>        <version>
4711            master          2 [failed: 0]   0d00h20m00s     2.6.12-1+deb12u3
# workers
4800            worker          0               0d00h00m07s     2.6.12-1+deb12u3
# old workers
4713            worker          2               1d00h20m00s     2.6.12-1+deb12u3
4760            worker          1               0d00h10m00s     2.6.12-1+deb12u3
# programs

""",
    "3.0": """#<PID>          <type>          <reloads>       <uptime>        <version>
4711            master          2 [failed: 0]   0d00h20m00s     3.0.11-1+deb13u1
# workers
4800            worker          0               0d00h00m07s     3.0.11-1+deb13u1
# old workers
4713            worker          2               1d00h20m00s     3.0.11-1+deb13u1
4760            worker          1               0d00h10m00s     3.0.11-1+deb13u1
# programs

""",
}
STAT = """# pxname,svname,qcur,scur,smax,slim,stot,status,dcon,dses,type,check_status,check_code,last_chk,addr,
wss,FRONTEND,,2,3,4000,17,OPEN,5,0,0,,,,,
voice,voice,0,2,2,,9,UP,,,2,L7OK,200,,127.0.0.1:8765,
voice,BACKEND,0,2,2,400,9,UP,,,1,,,,,

"""


@contextlib.contextmanager
def haproxy(at: Path, answer: Callable[[str], bytes], *, hang: bool = False) -> Iterator[list[str]]:
    """Answer at a socket as HAProxy does, a command a connection, and tell which were asked; ``hang``: never end an answer."""
    asked: list[str] = []
    kept: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                command = client.recv(4096).decode().strip()
                asked.append(command)
                with contextlib.suppress(OSError):
                    client.sendall(answer(command))
                if hang:
                    kept.append(client)
                else:
                    client.close()

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(at))
        server.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for client in kept:
                client.close()


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path / "admin.sock"


def test_a_command_is_answered(at: Path) -> None:
    with haproxy(at, lambda _: b"Name: HAProxy\nVersion: 3.0.11\n\n") as asked:
        assert runtime.fields(runtime.ask(at, "show info")) == {"Name": "HAProxy", "Version": "3.0.11"}
    assert asked == ["show info"]


def test_without_haproxy_the_reason_is_told(at: Path) -> None:
    with pytest.raises(Silent, match="there is no socket"):
        runtime.ask(at, "show info")
    with haproxy(at, lambda _: b""):
        pass
    with pytest.raises(Silent, match="nobody listens"):
        runtime.ask(at, "show info")


@pytest.mark.parametrize("begun", [b"", b"Name: HA"])
def test_an_answer_that_does_not_end_is_not_waited_for(at: Path, begun: bytes) -> None:
    with haproxy(at, lambda _: begun, hang=True), pytest.raises(Silent, match=r"did not answer `show info` .* within 0\.05 s"):
        runtime.ask(at, "show info", timeout_s=0.05)


def test_an_answer_without_bound_is_not_read(at: Path) -> None:
    with haproxy(at, lambda _: b"x" * 200_000), pytest.raises(Silent, match="more than 64 KiB"):
        runtime.ask(at, "show table strangers", most=64 << 10)


@pytest.mark.parametrize(
    "refusal",
    [
        b"Unknown command: 'show tabel', but maybe one of the following ones is a better match:\n",
        b"Permission denied\n",
        b"No such table\n",
        b"Can't display the certificate: Not found or the certificate is a bundle!\n\n",
    ],
)
def test_a_refused_command_is_no_answer(at: Path, refusal: bytes) -> None:
    with haproxy(at, lambda _: refusal), pytest.raises(Silent, match="HAProxy refused"):
        runtime.ask(at, "show tabel")


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_a_table_is_read(text: str) -> None:
    seen = runtime.table(text)
    assert (seen.name, seen.type, seen.size, seen.used) == ("strangers", "ipv6", 102400, 2)
    first, second = seen.entries
    assert first == Entry("192.0.2.77", 598.724, first.values)
    assert (first.values["gpc0_rate"], first.values["conn_rate"], second.values["conn_rate"]) == (12, 3, 31)
    assert second.key == "2001:db8:1:2::"


def test_several_tables_are_read() -> None:
    heads = "# table: known, type: ipv6, size:20480, used:4\n# table: strangers, type: ipv6, size:102400, used:0\n\n"
    assert [(table.name, table.used) for table in runtime.tables(heads)] == [("known", 4), ("strangers", 0)]
    with pytest.raises(Silent):
        runtime.table(heads)


def test_of_a_key_that_is_not_in_it_a_table_shows_nothing() -> None:
    assert runtime.tables("\n\n") == []


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.77", "::ffff:192.0.2.77"),
        ("2001:db8:1:2:3::9", "2001:db8:1:2::"),
        ("::1", "::"),
    ],
)
def test_an_address_is_counted_under_its_key(address: str, key: str) -> None:
    assert runtime.key(address) == key


@pytest.mark.parametrize(
    ("address", "source"),
    [("192.0.2.77", "192.0.2.77"), ("2001:db8:1:2::77", "2001:db8:1:2::"), ("fe80::1%eth0", "fe80::"), ("", ""), ("x", "x")],
)
def test_an_address_is_counted_as_its_source(address: str, source: str) -> None:
    assert runtime.counted_as(address) == source


@pytest.mark.parametrize("text", PROCESSES.values(), ids=PROCESSES)
def test_old_workers_are_told_from_the_new_one(text: str) -> None:
    assert runtime.processes(text) == [
        Process(4800, 0, 7.0, old=False),
        Process(4713, 2, 87_600.0, old=True),
        Process(4760, 1, 600.0, old=True),
    ]


def test_statistics_are_read_by_the_names_of_their_columns() -> None:
    rows = runtime.stat(STAT)
    assert [(row["pxname"], row["svname"], row["scur"], row["status"]) for row in rows] == [
        ("wss", "FRONTEND", "2", "OPEN"),
        ("voice", "voice", "2", "UP"),
        ("voice", "BACKEND", "2", "UP"),
    ]
    with pytest.raises(Silent):
        runtime.stat("Unknown\n")
