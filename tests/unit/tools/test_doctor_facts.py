"""Collectors of facts: parsed from the answers of hosts, bounded in time, and never lost without a reason."""

import errno
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from exotelctl.doctor import facts
from exotelctl.doctor.facts import address, call, deployment, firewall, host, journal, shell
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.fact import Fact, NotSeen
from exotelctl.journal import Entry

# -- a look ------------------------------------------------------------------------------------------------------------


def test_what_a_collector_raises_becomes_the_reason() -> None:
    def lost() -> None:
        raise NotSeen("no nft here", needs="nft")

    assert facts.observe(lost).missing == "no nft here"
    assert facts.observe(lost).needs == "nft"
    assert "ZeroDivisionError" in facts.observe(lambda: 1 // 0).missing


def test_a_fact_that_is_missing_can_not_be_used_by_mistake() -> None:
    with pytest.raises(NotSeen, match="it was not looked at"):
        Fact[int]().get()
    assert Fact(0).get() == 0


def test_a_collector_that_hangs_does_not_hold_up_the_others() -> None:
    end = Event()
    look = facts._begin("slow", lambda: end.wait(30))
    try:
        assert "took more than" in facts._wait(look, time.monotonic()).missing
    finally:
        end.set()


def test_every_collector_gives_a_fact_or_a_reason_wherever_it_runs() -> None:
    seen = facts.collect(time.time() - 60)
    for name in (
        "units",
        "port",
        "workers",
        "calls",
        "loopback",
        "firewall",
        "file_systems",
        "memory",
        "clock",
        "address",
        "edge",
    ):
        fact = getattr(seen, name)
        assert (fact.value is None) == bool(fact.missing), name


WITHOUT = """
import sys
for name in ("msgspec", "picows", "psutil", "prometheus_client", "rich", "textual", "uvloop", "websockets", "exotel_ws"):
    sys.modules[name] = None
import exotelctl.doctor.verb
from exotelctl.doctor import facts
seen = facts.collect(0.0)
print(seen.file_systems.value is not None, seen.address.missing)
"""


def test_a_release_that_lacks_modules_can_still_be_looked_at() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True looking at it failed: ModuleNotFoundError")


def test_a_program_that_is_missing_fails_or_hangs_is_a_reason() -> None:
    with pytest.raises(NotSeen) as missing:
        shell.ask("no-such-program")
    assert missing.value.needs == "no-such-program"
    with pytest.raises(NotSeen, match="some trouble"):
        shell.ask("sh", "-c", "echo some trouble >&2; exit 3")
    with pytest.raises(NotSeen, match=r"not done within 0\.05 s"):
        shell.ask("sleep", "5", timeout_s=0.05)
    assert shell.ask("echo", "yes") == "yes\n"


# -- the deploy --------------------------------------------------------------------------------------------------------

SETTINGS = """
mode = "echo"
public_url = "ws://198.51.100.7:9000"
paths = ["/voice"]
[limits]
max_calls = 7
[auth]
required = true
[drain]
timeout_s = 60
"""


def deployed(root: Path, settings: str = SETTINGS) -> Callable[[], Deployment]:
    """Make a host with one generation below ``root`` and return the look at it."""
    paths = Paths(root)
    for directory in (paths.current, paths.point.parent, paths.lock.parent, root / "proc"):
        directory.mkdir(parents=True)
    generation = {"generation": "g", "release": "r", "workers": 2, "created": "2026-11-25T10:27:06Z", "listen": "[::]:9000"}
    (paths.current / "generation.json").write_text(json.dumps(generation))
    (paths.current / "settings.toml").write_text(settings)
    paths.point.write_text("[Socket]\nService=exotel-ws@g-1.service\n")
    (root / "proc/locks").write_text("")
    return lambda: deployment.look(root)


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ('mode = "ai"', 25),
        ('mode = "ai"\n[ai]\nmax_calls = 40', 40),
        ('mode = "ai"\n[limits]\nmax_calls = 7', 7),
        ('mode = "echo"\n[ai]\nmax_calls = 40', 500),
    ],
)
def test_a_worker_takes_so_many_calls(tmp_path: Path, settings: str, most: int) -> None:
    assert deployed(tmp_path, settings)().max_calls == most


def test_the_current_generation_is_read(tmp_path: Path) -> None:
    seen = deployed(tmp_path)()
    assert (seen.generation, seen.port, seen.paths, seen.max_calls, seen.drain_s) == ("g", 9000, ("/voice",), 7, 60.0)
    assert seen.asks_credential
    assert seen.instances == ("g-1", "g-2")
    assert seen.socket_points_to == "g-1"
    assert not seen.deploying


def test_broken_settings_are_told_and_the_port_is_known_all_the_same(tmp_path: Path) -> None:
    seen = deployed(tmp_path, "port = \n")()
    assert "line 1" in seen.settings_problem
    assert seen.port == 9000


def test_nothing_deployed_is_a_fact_too(tmp_path: Path) -> None:
    assert deployment.look(tmp_path) == Deployment()


def test_a_lock_that_is_held_tells_of_a_deploy(tmp_path: Path) -> None:
    look = deployed(tmp_path)
    lock = Paths(tmp_path).lock
    lock.touch()
    held = f"1: FLOCK  ADVISORY  WRITE 77 00:1b:{lock.stat().st_ino} 0 EOF\n"
    assert not look().deploying
    (tmp_path / "proc/locks").write_text(held)
    assert look().deploying


def test_a_call_on_loopback_needs_the_hosts_credential(tmp_path: Path) -> None:
    with pytest.raises(NotSeen, match="streams must show a credential"):
        call.look_here(Deployment(asks_credential=True), tmp_path / "nothing")


# -- the journal -------------------------------------------------------------------------------------------------------


def entry(event: str, message: str = "", conn: str = "conn_1", at: float = 1.0, **fields: str) -> Entry:
    return Entry(at, message, 6, "exotel-ws@g-1.service", "", {"EVENT": event, "CONN_ID": conn, **fields})


def test_the_lines_of_a_connection_become_one_record() -> None:
    [conn] = journal.connect(
        [
            entry("open", "🔌 WebSocket connected", REMOTE="203.0.113.9", RATE="16000"),
            entry("open", "Remote IP: 203.0.113.9", at=1.1),
            entry("start", "[conn_1] 🚀 START EVENT", RATE="8000", RATE_ASKED="16000", CALL_SID="sid"),
            entry("start", "[conn_1]    From: 09123456780 → To: 08012345670"),
            entry("fault", KIND="rate_mismatch"),
            *(entry("provider_error", f"💥 llm (gemini): {code} for 09123456780") for code in (1, 2, 3, 429)),
            entry("close", ENDED="stop", CODE="1006", DURATION_MS="1200", FRAMES_IN="50", FRAMES_OUT="49"),
        ]
    )
    assert conn == journal.Conn(
        id="conn_1",
        at=1.0,
        remote="203.0.113.9",
        call_sid="sid",
        started=True,
        rate="8000",
        rate_asked="16000",
        faults=("rate_mismatch",),
        failures=tuple(f"💥 llm (gemini): {code} for 091•••••780" for code in (2, 3, 429)),
        ended="stop",
        code=1006,
        duration_ms=1200,
        frames_in=50,
        frames_out=49,
    )


def test_a_test_call_is_known_by_what_the_worker_says_of_it() -> None:
    """A test call is known by the worker's mark, not by numbers: a stranger may give those of our test calls too."""
    line = "[conn_1]    From: 09876543210 → To: 02012345678"
    assert [conn.own for conn in journal.connect([entry("start", line, OURS="1", _NAMESPACE="exotel-ws")])] == [True]
    assert [conn.own for conn in journal.connect([entry("start", line, _NAMESPACE="exotel-ws")])] == [False]


@pytest.mark.parametrize(
    ("numbers", "own"),
    [
        ("From: 09876543210 → To: 02012345678", True),
        ("From: 098•••••210 → To: 020•••••678", True),  # as AI mode writes them
        ("From: 09876543210 → To: 08012345670", False),
        ("From: 09123456780 → To: 02012345678", False),
    ],
)
def test_a_test_call_of_a_release_without_marks_is_known_by_its_numbers(numbers: str, own: bool) -> None:
    """A test call of a release without marks is known by its numbers: its lines in the host's journal outlive an upgrade."""
    [conn] = journal.connect([entry("start", "[conn_1] START EVENT"), entry("start", f"[conn_1]    {numbers}")])
    assert conn.own is own


def test_the_journal_is_asked_which_of_the_two_an_entry_is_from() -> None:
    assert "_NAMESPACE" in journal._FROM_ELSEWHERE


def test_a_call_that_began_before_the_window_is_one_all_the_same() -> None:
    [conn] = journal.connect([entry("close", ENDED="no_stop", FRAMES_IN="9", CODE="no number")])
    assert (conn.started, conn.ended, conn.frames_in, conn.code) == (True, "no_stop", 9, 0)


def test_a_connection_without_start_is_no_call() -> None:
    assert [conn.started for conn in journal.connect([entry("open"), entry("close", ENDED="no_start")])] == [False]


def test_the_first_deploy_is_in_the_audit(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    assert journal._first_deploy(audit) is None
    audit.write_text('{"time": "2026-11-25T10:27:07Z", "action": "deploy"}\n{"time": "2026-12-25T10:27:07Z"}\n')
    assert journal._first_deploy(audit) == 1_795_602_427.0
    audit.write_text("no json\n")
    assert journal._first_deploy(audit) is None


def test_the_setting_that_raises_a_bound_is_read_from_its_field_and_not_from_the_text() -> None:
    line = entry("bound", "🚧 Bound x, raised by nobody", REASON="rate", REMOTE="203.0.113.9", LEFT_OUT="4", RAISED_BY="limits.x")
    assert journal._bound(line) == journal.Bound(line.time, "rate", "203.0.113.9", 5, "limits.x")


# -- the host ----------------------------------------------------------------------------------------------------------


def test_memory_is_the_lesser_of_machine_and_container(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       8000 kB\nMemFree: 1 kB\nMemAvailable:   4000 kB\nHugePages_Total:       0\n")
    assert host.memory(tmp_path, meminfo) == host.Memory(8000 << 10, 4000 << 10, "the machine's memory")
    for name, text in (("max", f"{1 << 20}"), ("current", f"{900 << 10}"), ("stat", f"anon 1\ninactive_file {100 << 10}\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert host.memory(tmp_path, meminfo) == host.Memory(1 << 20, 224 << 10, "this container's bound")
    (tmp_path / "memory.max").write_text("max\n")
    assert host.memory(tmp_path, meminfo).limit == "the machine's memory"
    meminfo.write_text("MemTotal: 8000 kB\n")
    with pytest.raises(NotSeen):
        host.memory(tmp_path, meminfo)


def test_file_systems_are_told_once_each(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    [seen] = host.file_systems((str(tmp_path), str(tmp_path / "a"), str(tmp_path / "missing")))
    assert seen.paths == (str(tmp_path), str(tmp_path / "a"))
    assert seen.size > 0
    assert not seen.read_only


def test_the_clock_is_asked_and_not_set(tmp_path: Path) -> None:
    seen = host.clock(tmp_path / "container")
    assert seen.container == ""
    assert abs(seen.now - time.time()) < 60
    assert seen.synchronised in (True, False, None)


def test_names_are_resolved_or_the_reason_is_told() -> None:
    assert address.resolve("127.0.0.1") == (("127.0.0.1",), "")
    found, why = address.resolve("no such name")
    assert found == ()
    assert why


def test_the_cloud_is_asked_only_where_it_is_googles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dmi = tmp_path / "product_name"

    def nobody(*_: Any, **__: Any) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr("http.client.HTTPConnection", nobody)
    assert address.look("ws://127.0.0.1:8765", dmi).metadata == ""
    dmi.write_text("Standard PC\n")
    assert address.look("ws://127.0.0.1:8765", dmi).metadata == ""
    dmi.write_text("Google Compute Engine\n")
    with pytest.raises(AssertionError, match="asked"):
        address.look("ws://127.0.0.1:8765", dmi)


# -- the firewall ------------------------------------------------------------------------------------------------------


class Kernel:
    """Kernel that answers netlink requests with prepared datagrams."""

    def __init__(self, *datagrams: bytes) -> None:
        self._datagrams = list(datagrams)

    def recv(self, _size: int) -> bytes:
        return self._datagrams.pop(0)


def message(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("=LHHLL", 16 + len(body), kind, 0, 1, 0) + body


TABLE, DONE = message(10 << 8, b"\0" * 12), message(3)


@pytest.mark.parametrize(
    ("datagrams", "count"),
    [
        ([DONE], 0),
        ([TABLE + TABLE, TABLE, DONE], 3),
        ([message(2, struct.pack("=l", -errno.EOPNOTSUPP))], 0),
        ([message(2, struct.pack("=l", -errno.EPERM))], None),
    ],
)
def test_the_kernel_says_how_many_tables_it_has(datagrams: list[bytes], count: int | None) -> None:
    assert firewall._count(Kernel(*datagrams)) == count  # type: ignore[arg-type]


def test_only_root_sees_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotSeen) as not_seen:
        firewall.look()
    assert not_seen.value.needs == "root"


def test_the_outer_interface_is_that_of_the_default_route(tmp_path: Path) -> None:
    head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"
    rows = ["eth0 00000000 0100000A 0003 0 0 0 00000000 0 0 0", "wg0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0"]
    (tmp_path / "route").write_text("\n".join([head, *rows]))
    assert firewall.outside_interfaces(tmp_path) == ("eth0",)
    assert firewall.outside_interfaces(tmp_path / "none") == ()
