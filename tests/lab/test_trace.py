"""``exotelctl trace`` on a host: the pilot drives it over a live call that this machine places."""

import asyncio
import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from exotel_phone import audio
from exotel_phone.captures.records import Message, Record, read
from exotel_phone.phone import CallResult, place_call

from tests.lab.labhost import LabHost

DRIVER = Path(__file__).with_name("trace_driver.py")
PYTHON = "/opt/exotel-ws/current/bin/python"
FRAMES = audio.frames(audio.speech_like(4.0, 8000), 8000)


@pytest.fixture
def folder(oncall: LabHost) -> Iterator[str]:
    """Yield a folder on the host for the driver and its files."""
    path = oncall.run("mktemp -d").stdout.strip()
    yield path
    oncall.run(f"sudo rm -r {path}")


def _call_once_ready(host: LabHost, ready: str) -> CallResult:
    until = monotonic() + 30
    while host.run(f"test -e {ready}", check=False).returncode != 0:
        assert monotonic() < until, "the trace is not ready within 30 s"
        sleep(0.1)
    url = f"ws://{host.address}:8765?sample-rate=8000"
    return asyncio.run(place_call(url, FRAMES, keep_audio=True))


def _payloads(records: list[Record], side: str) -> bytes:
    documents = [json.loads(record.text) for record in records if isinstance(record, Message) and record.from_ == side]
    return b"".join(base64.b64decode(document["media"]["payload"]) for document in documents if document["event"] == "media")


def test_a_live_call_from_the_list_to_the_message_and_into_a_file(oncall: LabHost, folder: str, tmp_path: Path) -> None:
    oncall.run(f"echo {base64.b64encode(DRIVER.read_bytes()).decode()} | base64 -d > {folder}/driver.py")
    driven: list[subprocess.CompletedProcess[str]] = []
    command = f"sudo {PYTHON} {folder}/driver.py {folder}/ready {folder}/call.jsonl"
    driver = threading.Thread(target=lambda: driven.append(oncall.run(command, check=False, timeout=90)))
    driver.start()
    try:
        placed = _call_once_ready(oncall, f"{folder}/ready")
    finally:
        driver.join(timeout=90)
    assert driven, "the driver did not end"
    assert driven[0].returncode == 0, driven[0].stderr
    seen = json.loads(driven[0].stdout)

    sid = placed.ids.call_sid
    assert placed.ok, "a call that is watched hears nothing of it"
    assert seen["list"].split()[:2] == ["live", f"{sid[:9]}…"]
    assert "098•••••210 020•••••678" in seen["list"]
    # During the call: the messages so far, media as one growing row a side.
    assert "│ connected ─" in seen["live"][1]
    assert "│ start 8000 Hz, 098•••••210 → 020•••••678 ─" in seen["live"][2]
    assert any("media × " in row and row.endswith("►│") for row in seen["live"])
    assert any("│◄" in row and row.endswith("ms │") for row in seen["live"])
    assert f'    "call_sid": "{sid}",' in seen["message"]
    assert '    "from": "098•••••210",' in seen["message"]
    # After it: all messages, and who ended it. A busy machine may have sent a frame late: a fault, and rightly reported.
    assert seen["call"] | {"faults": 0} == {
        "call_sid": sid,
        "state": "ended",
        "how": "stop by Exotel (1006): canceled or call ended",
        "frames": {"exotel": 200, "server": 200},
        "faults": 0,
        "doubts": [],
    }
    assert "stop canceled or call ended" in seen["ladder"][-2]
    # The saved file is bit-exact, both ways.
    assert oncall.run(f"sudo stat -c %a {folder}/call.jsonl").stdout == "600\n"
    saved = tmp_path / "call.jsonl"
    saved.write_text(oncall.run(f"sudo cat {folder}/call.jsonl").stdout)
    records = list(read(saved))
    assert records[-1].complete  # type: ignore[union-attr]
    assert _payloads(records, "exotel") == b"".join(FRAMES)
    assert _payloads(records, "server") == placed.audio


def test_the_command_on_the_host(oncall: LabHost) -> None:
    """Live calls need a terminal and root; one line says so."""
    refused = oncall.run("sudo exotelctl trace", check=False)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "exotelctl capture" in refused.stderr
    assert refused.stderr.count("\n") == 1
    denied = oncall.run("script -qec 'exotelctl trace' /dev/null", check=False)
    assert denied.returncode == 3
    assert "put sudo in front" in denied.stdout
