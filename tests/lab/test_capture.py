"""Calls to a deployed host, recorded there: played again bit by bit, and compared; packets of a call, and of none."""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exotel_phone import audio
from exotel_phone.phone import CallResult, place_call

from tests.lab.labhost import REPO, LabHost

PORT = 8765
FRAMES = audio.frames(audio.speech_like(1.0, 8000), 8000)
RECORDED = "/tmp/exotel-capture-test.jsonl"


def url(host: LabHost) -> str:
    return f"ws://{host.address}:{PORT}/?sample-rate=8000"


def call(host: LabHost) -> CallResult:
    result = asyncio.run(place_call(url(host), FRAMES))
    assert result.ok, result
    return result


def while_it_runs(host: LabHost, command: str, begun: str) -> "subprocess.Popen[str]":
    """Start a command on the host and return its process once it has printed a line with ``begun`` in it."""
    running = host.start(command)
    assert running.stdout is not None
    said = []
    for line in running.stdout:
        said.append(line)
        if begun in line:
            return running
    raise AssertionError(f"{command}: {''.join(said)}")


@pytest.fixture(scope="module")
def recorded(oncall_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Record a call on the host and return a copy of the file. The host's own is at `RECORDED`."""
    command = f"sudo exotelctl capture --next 1 --out {RECORDED} --seconds 60"
    with while_it_runs(oncall_host, command, "Recording the next call") as capture:
        sid = call(oncall_host).ids.call_sid
        said, _ = capture.communicate(timeout=30)
    assert capture.returncode == 0, said
    assert sid in said
    assert "1 call, 103 messages" in said
    assert "complete: every call that was asked for has ended" in said
    assert oncall_host.run(f"stat -c '%a %U' {RECORDED}").stdout == "600 root\n"
    copy = tmp_path_factory.mktemp("captures") / "recorded.jsonl"
    copy.write_text(oncall_host.run(f"sudo cat {RECORDED}").stdout)
    yield copy
    oncall_host.run(f"sudo rm -f {RECORDED}")


def exotelctl(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run this tree's exotelctl on this machine."""
    command = [sys.executable, "-m", "exotelctl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=REPO)


def test_a_recorded_call_replays_bit_exact_on_its_host(oncall: LabHost, recorded: Path) -> None:
    done = oncall.run(f"sudo exotelctl replay {RECORDED} ws://127.0.0.1:{PORT} --credential-file /dev/null", check=False)
    assert done.returncode == 2, "a file without a credential is told"
    done = oncall.run(f"sudo exotelctl replay {RECORDED} ws://127.0.0.1:{PORT}")
    assert "✅ bit-exact: the server answered as recorded, 50 messages" in done.stdout


def test_and_from_elsewhere_against_a_host_of_the_inventory_only(oncall: LabHost, recorded: Path, tmp_path: Path) -> None:
    stranger = exotelctl("replay", recorded, f"ws://{oncall.address}:{PORT}", "--speed", "0")
    assert stranger.returncode == 3
    assert "--i-own-this-server" in stranger.stderr
    again = tmp_path / "again.jsonl"
    ours = exotelctl(
        "replay", recorded, f"ws://{oncall.address}:{PORT}", "--speed", "0", "--inventory", oncall.inventory, "--out", again
    )
    assert ours.returncode == 0, ours.stdout + ours.stderr
    assert "bit-exact" in ours.stdout
    assert exotelctl("diff", recorded, again).returncode == 0


def test_a_call_and_itself_do_not_differ(oncall: LabHost, recorded: Path) -> None:
    for done in (oncall.run(f"sudo exotelctl diff {RECORDED} {RECORDED}"), exotelctl("diff", recorded, recorded)):
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_re_chunked_call_parts_at_its_first_frame(recorded: Path, tmp_path: Path) -> None:
    """Frames sent in pairs, 640 bytes in a message instead of 320, part although the audio is the same."""
    other = tmp_path / "rechunked.jsonl"
    other.write_text("".join(_in_pairs(recorded.read_text().splitlines(keepends=True))))
    done = exotelctl("diff", recorded, other)
    assert done.returncode == 1
    assert "message 1 from the server (media): A has 320 bytes in a message, B 640, from byte 0 on" in done.stdout
    assert f"the audio is the same in {320 * len(FRAMES)} bytes" in done.stdout
    first = json.loads(exotelctl("diff", recorded, other, "--json").stdout)["calls"][0]["first"]
    assert (first["offset"], first["same_audio"]) == (0, True)


def _in_pairs(lines: list[str]) -> Iterator[str]:
    held = b""
    for line in lines:
        record = json.loads(line)
        if record["type"] != "message" or record["from"] != "server":
            yield line
            continue
        media = json.loads(record["text"])
        held += base64.b64decode(media["media"]["payload"])
        if len(held) == 640:
            media["media"]["payload"] = base64.b64encode(held).decode()
            held = b""
            yield json.dumps(record | {"text": json.dumps(media)}) + "\n"


@pytest.fixture(scope="module")
def tcpdump(oncall_host: LabHost) -> Iterator[None]:
    """Install tcpdump on the host for these tests. Before that, the tool says what to install."""
    missing = oncall_host.run("command -v tcpdump", check=False).returncode != 0
    if missing:
        without = oncall_host.run("sudo exotelctl capture --packets", check=False)
        assert (without.returncode, without.stdout) == (3, "")
        assert without.stderr == "exotelctl: tcpdump is not installed: sudo apt-get install tcpdump\n"
        oncall_host.run("sudo apt-get -qq update && sudo apt-get -qq install tcpdump >/dev/null", timeout=180)
    yield
    if missing:
        oncall_host.run("sudo apt-get -qq purge tcpdump >/dev/null", timeout=60)


def test_the_packets_of_a_call_are_seen(oncall: LabHost, tcpdump: None) -> None:
    command = "sudo exotelctl capture --packets --seconds 20 --count 12"
    with while_it_runs(oncall, command, "$ tcpdump -i any -n") as capture:
        call(oncall)
        said, _ = capture.communicate(timeout=30)
    assert capture.returncode == 0, said
    assert f"{oncall.address}.{PORT}: Flags [S]" in said
    assert "packets on port 8765" in said
    assert "payload" not in said


def test_a_file_of_packets_holds_headers_only(oncall: LabHost, tcpdump: None) -> None:
    file = "/tmp/exotel-capture-test.pcap"
    command = f"sudo exotelctl capture --packets --seconds 20 --count 40 --out {file}"
    with while_it_runs(oncall, command, "$ tcpdump") as capture:
        call(oncall)
        said, _ = capture.communicate(timeout=30)
    assert capture.returncode == 0, said
    try:
        assert oncall.run(f"stat -c '%a %U' {file}").stdout == "600 root\n"
        assert f".{PORT}: Flags [S]" in oncall.run(f"sudo tcpdump -n -r {file} 2>/dev/null").stdout
        assert oncall.run(f"sudo grep -c payload {file}", check=False).stdout == "0\n"
    finally:
        oncall.run(f"sudo rm -f {file}")


def test_where_nothing_comes_it_is_said(oncall: LabHost, tcpdump: None) -> None:
    done = oncall.run("sudo exotelctl capture --packets --seconds 2", check=False)
    assert done.returncode == 1
    assert "Nothing reaches this host on port 8765: no packet (2 s)" in done.stdout


def test_who_may_not_is_told_in_one_line(oncall: LabHost) -> None:
    for command in ("capture --next 1", "capture --packets"):
        done = oncall.run(f"exotelctl {command}", check=False)
        assert (done.returncode, done.stdout) == (3, "")
        assert "sudo" in done.stderr
        assert done.stderr.count("\n") == 1
