"""`exotelctl status`, `exotelctl logs` and `playbooks/logs.yml` on a host that takes calls."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from exotel_phone.text import short_instance

from tests.lab import callers
from tests.lab.labhost import LabHost, Play, play
from tests.lab.test_deploy import current, instances, url, wait_until

NOBODY = "198.18.65.199"
"""An address of the lab that no host has."""
ESCAPES = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m"
LOG = """
import socket
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.connect("/run/systemd/journal/socket")
journal.send({entry!r}.encode())
"""


def status(host: LabHost, options: str = "") -> tuple[int, dict[str, Any]]:
    """Run `status` as root and return its exit code and JSON."""
    done = host.run(f"sudo exotelctl status --json {options}", check=False)
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, said


def logs(host: LabHost, options: str) -> list[dict[str, Any]]:
    """Return the lines of `logs`, in its order."""
    said = [json.loads(line) for line in host.run(f"sudo exotelctl logs --json {options}").stdout.splitlines()]
    assert said[0]["kind"] == "journal"
    return said[1:]


def messages(found: list[dict[str, Any]]) -> list[str]:
    """Return the messages of the lines, without the connection's id."""
    return [line["message"].partition("] ")[2] for line in found]


def logged(host: LabHost, fields: dict[str, str], *, user: str = "root") -> None:
    """Write one entry to the host's journal, as ``user``."""
    entry = "".join(f"{name}={value}\n" for name, value in fields.items())
    host.run(f"sudo -u {user} python3 - <<'END'\n{LOG.format(entry=entry)}\nEND\nsudo journalctl --sync")


@pytest.fixture(scope="module")
def call(oncall_host: LabHost) -> dict[str, Any]:
    """Return the entry of `status` during a call that is now over."""
    with callers.held(url(oncall_host), calls=1):
        code, said = status(oncall_host)
    assert code == 0, said["problems"]
    wait_until("the call is over", lambda: not status(oncall_host)[1]["calls"])
    found: dict[str, Any] = said["calls"][0]
    return found


def test_a_live_call_is_seen(oncall: LabHost) -> None:
    with callers.held(url(oncall), calls=1):
        code, said = status(oncall)
        shown = oncall.run("sudo exotelctl status").stdout
        [unmasked] = status(oncall, "--numbers")[1]["calls"]
    assert code == 0, said["problems"]
    [found] = said["calls"]
    assert found["caller"] == "091•••••780"
    assert unmasked["caller"] == "09123456780"
    assert found["frames_in"] > 0
    assert found["worker"].startswith(current(oncall))
    assert re.search(rf"^{found['call_sid']}  091•••••780  080•••••670 ", shown, re.MULTILINE)
    assert [row["state"] for row in said["generations"]] == ["serving"]
    assert said["last_deploy"]["outcome"] == "done"
    assert said["port"]["only_ours"] is True
    assert all(worker["usage"]["pss"] > 1 << 20 for worker in said["workers"])


@pytest.mark.parametrize("name", ["call_sid", "stream_sid", "conn_id"])
def test_the_whole_story_by_any_of_its_ids(oncall: LabHost, call: dict[str, Any], name: str) -> None:
    found = logs(oncall, f"--call {call[name]}")
    said = messages(found)
    assert said[0] == "🔌 WebSocket connected"
    assert said[-1] == "👋 Connection closed"
    assert "CALL_SID" not in found[0]["fields"]
    assert {line["fields"]["CONN_ID"] for line in found} == {call["conn_id"]}
    assert [line["time"] for line in found] == sorted(line["time"] for line in found)
    assert "   From: 091•••••780 → To: 080•••••670" in said


def test_events_and_errors_are_picked_out(oncall: LabHost, call: dict[str, Any]) -> None:
    assert {line["fields"]["EVENT"] for line in logs(oncall, f"--call {call['call_sid']} --event open --event close")} == {
        "open",
        "close",
    }
    assert logs(oncall, f"--call {call['call_sid']} --errors") == []
    callers.without_start(url(oncall), calls=1)
    wait_until("its end is logged", lambda: messages(logs(oncall, "--event close -n 1")) == ["👋 Connection closed"])
    assert all(line["priority"] <= 4 for line in logs(oncall, "--errors"))


def test_an_unknown_call_is_told_from_silence(oncall: LabHost) -> None:
    done = oncall.run("sudo exotelctl logs --call nobody", check=False)
    assert done.returncode == 1
    assert re.match(r"No line of nobody: the journal starts at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000, nothing older", done.stdout)


def test_hostile_text_cannot_steer_the_terminal(oncall: LabHost) -> None:
    sid, conn = secrets.token_hex(8), f"conn_{secrets.token_hex(6)}"
    ids = {"CALL_SID": sid, "CONN_ID": conn, "SYSLOG_IDENTIFIER": "exotel-ws", "EVENT": "start", "PRIORITY": "6"}
    logged(oncall, {"MESSAGE": f"[{conn}]    From: {ESCAPES} → To: {ESCAPES}", **ids})
    for command in (f"exotelctl logs --call {sid} --numbers", f"script -qec 'NO_COLOR=1 exotelctl logs --call {sid}' /dev/null"):
        shown = oncall.run(f"sudo {command}").stdout
        assert conn in shown
        assert shown.replace("\r\n", "").replace("\n", "").isprintable()


def test_suppressed_messages_are_told_of(oncall: LabHost) -> None:
    flood = "for i in $(seq 50); do echo flood; done; sleep 1.2; echo after; sleep 0.2"
    limit = "-p LogRateLimitIntervalSec=1s -p LogRateLimitBurst=5"
    oncall.run(f"sudo systemd-run --quiet --wait --collect --unit=exotel-ws-flood.service {limit} bash -c '{flood}'")
    shown = oncall.run("sudo exotelctl logs --since -1min --errors").stdout
    assert re.search(r"journald suppressed \d+ messages of exotel-ws-flood: lines are missing", shown)


def test_what_a_local_user_logs_with_our_field_names_is_not_told(oncall: LabHost, call: dict[str, Any]) -> None:
    sids = {"CALL_SID": call["call_sid"], "STREAM_SID": call["stream_sid"], "CONN_ID": call["conn_id"]}
    unit = {"UNIT": "exotel-ws@g-1.service", "OBJECT_SYSTEMD_UNIT": "exotel-ws@g-1.service", "PRIORITY": "none"}
    for forged in (
        {"MESSAGE": "forged line", "EVENT": "fault", "SYSLOG_IDENTIFIER": "exotel-ws", **sids},
        {"MESSAGE": "forged unit", "EVENT": "refused", "REASON": "path", **unit},
        {"MESSAGE": "forged gap", "MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e", "N_DROPPED": "999999", **unit},
    ):
        logged(oncall, forged, user="nobody")
    for options in (f"--call {call['call_sid']}", "--since -5min", "--since -5min --errors"):
        shown = oncall.run(f"sudo exotelctl logs {options}").stdout
        assert "forged" not in shown
        assert "999999" not in shown


def test_a_busy_host_loses_no_line(oncall: LabHost) -> None:
    """A busy host loses no line. With journald's own limit, about 10,000 lines in 30 s, calls would vanish from the log."""
    units = "/etc/systemd/system/exotel-ws@.service"
    limits = oncall.run(f"grep -hE '^Log(RateLimit|Namespace)' {units}").stdout.split()
    properties = " ".join(f"-p {limit}" for limit in limits)
    unit = "exotel-ws-busy.service"
    oncall.run(f"sudo systemd-run --quiet --wait --collect --unit={unit} {properties} bash -c 'seq 60000; sleep 0.5'", timeout=60)
    # Lines may still wait in journald's socket: a sync ends once all of them are in the file.
    oncall.run("sudo journalctl --namespace=exotel-ws --sync", timeout=60)
    ask = f"sudo journalctl --namespace=exotel-ws --quiet --output=cat --unit={unit} | grep -c '^[0-9]*$'"
    assert oncall.run(ask, timeout=60).stdout == "60000\n"


def test_what_workers_write_pushes_out_no_line_of_other_units(oncall: LabHost, call: dict[str, Any]) -> None:
    """Workers write to a bounded journal of their own, so that a flood of calls pushes no line of sshd out of the host's."""
    ask = f"sudo journalctl --quiet --output=cat CALL_SID={call['call_sid']}"
    assert "START EVENT" not in oncall.run(ask).stdout
    assert "START EVENT" in oncall.run(f"{ask} --namespace=exotel-ws").stdout
    assert "SystemMaxUse=512M" in oncall.run("cat /etc/systemd/journald@exotel-ws.conf").stdout


def test_a_reader_that_stops_reading_is_no_error(oncall: LabHost, call: dict[str, Any]) -> None:
    done = oncall.run(f"set -o pipefail; sudo exotelctl logs --call {call['call_sid']} --json | true", check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_root_it_says_what_it_cannot_see(oncall: LabHost) -> None:
    done = oncall.run("exotelctl status --json")
    said = json.loads(done.stdout)
    assert "live calls and whether the workers answer" in said["unseen"]
    assert said["generations"][0]["state"] == "serving"
    assert said["generations"][0]["calls_live"] is None
    refused = oncall.run("exotelctl logs", check=False)
    assert refused.returncode == 3
    assert refused.stderr.count("\n") == 1
    assert "sudo" in refused.stderr


def test_a_hung_worker_does_not_answer(oncall: LabHost) -> None:
    hung = f"{current(oncall)}-1"
    pid = oncall.run(f"systemctl show --property=MainPID --value 'exotel-ws@{hung}.service'").stdout.strip()
    oncall.run(f"sudo kill -STOP {pid}")
    try:
        code, said = status(oncall)
    finally:
        oncall.run(f"sudo kill -CONT {pid}")
    assert code == 1
    assert said["problems"] == [f"worker {short_instance(hung)} does not answer: timed out"]


def test_watching_refreshes_in_place_and_ends_quietly(oncall: LabHost) -> None:
    refused = oncall.run("sudo exotelctl status --watch", check=False)
    assert refused.returncode == 3
    assert refused.stderr.count("\n") == 1
    watch = "timeout --foreground --preserve-status --signal=INT 5 exotelctl status --watch --interval 0.5"
    done = oncall.run(f"sudo TERM=xterm script -qec '{watch}' /dev/null", check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": serving") >= 2
    assert "\x1b[1A" in done.stdout
    assert "Traceback" not in done.stdout
    assert "Aborted" not in done.stdout


@contextmanager
def following(host: LabHost) -> Iterator[Callable[[], list[str]]]:
    """Run `logs --follow` on the host during the block, and yield a function that returns its output so far."""
    file = "/tmp/followed"
    pid = host.run(f"sudo sh -c 'timeout 120 exotelctl logs --follow -n 1 > {file} 2>&1 & echo $!'").stdout.strip()
    try:
        wait_until("it follows", lambda: host.run(f"cat {file}").stdout)
        yield lambda: host.run(f"cat {file}").stdout.splitlines()
    finally:
        host.run(f"sudo kill {pid}; sudo rm {file}")


def test_a_draining_generation_and_the_story_that_goes_on(oncall: LabHost) -> None:
    """After a restart during a call the old generation drains, and a follower sees the workers of the new one, too."""
    before = current(oncall)
    with following(oncall) as seen, callers.held(url(oncall), calls=1):
        oncall.run("sudo exotelctl restart --yes", timeout=60)
        code, said = status(oncall)
        assert code == 0, said["problems"]
        assert [(row["generation"], row["state"], row["calls_live"]) for row in said["generations"]] == [
            (current(oncall), "serving", 0),
            (before, "draining", 1),
        ]
        assert said["last_deploy"]["action"] == "restart"
        callers.short(url(oncall), calls=1)
        worker = short_instance(current(oncall))
        wait_until("the call is seen", lambda: [line for line in seen() if worker in line and "Connection closed" in line])
        opened = [line for line in seen() if "WebSocket connected" in line]
    assert len(opened) == len(set(opened)) >= 2
    wait_until("the old generation has ended", lambda: not instances(oncall, "deactivating"))
    assert [row["generation"] for row in status(oncall)[1]["generations"]] == [current(oncall)]


def over_the_inventory(host: LabHost, tmp_path: Path, *args: str) -> Play:
    """Run `playbooks/logs.yml` for the host and for an unreachable one."""
    more = tmp_path / "more.yml"
    more.write_text(f"exotel_ws: {{hosts: {{exo-gone: {{ansible_host: {NOBODY}}}}}}}\n")
    return play("playbooks/logs.yml", "-i", str(more), "--timeout=3", *args, inventory=host.inventory)


def test_over_the_inventory_each_host_answers_or_is_named(oncall: LabHost, call: dict[str, Any], tmp_path: Path) -> None:
    done = over_the_inventory(oncall, tmp_path, "-e", f"call={call['call_sid']}")
    assert done.rc == 0, done.stdout
    lines = len(logs(oncall, f"--call {call['call_sid']}"))
    assert f"{oncall.name}: answered {lines} lines, the journal starts at " in done.stdout
    assert "exo-gone: did not answer: unreachable: " in done.stdout
    worker = short_instance(call["worker"])
    assert f"  {oncall.name}  {worker}  [{call['conn_id']}] WebSocket connected" in done.stdout
    assert "From: 091•••••780 → To: 080•••••670" in done.stdout


def test_over_the_inventory_without_any_answer_it_fails(oncall: LabHost, tmp_path: Path) -> None:
    done = over_the_inventory(oncall, tmp_path, "--limit=exo-gone")
    assert done.rc != 0
    assert "exo-gone: did not answer: unreachable: " in done.stdout
    assert "no host answered" in done.stdout


@pytest.mark.parametrize(("typed", "meant"), [("cal=x", "call"), ("oncall_logs_line=3", "oncall_logs_lines")])
def test_over_the_inventory_a_misspelt_variable_is_refused(oncall: LabHost, tmp_path: Path, typed: str, meant: str) -> None:
    done = over_the_inventory(oncall, tmp_path, "-e", typed)
    assert done.rc != 0
    assert f"unknown variable {typed.partition('=')[0]} (did you mean {meant}?)" in done.stdout
