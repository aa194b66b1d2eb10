"""The two servers under test, each a process, and the texts that each of them understood."""

import json
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from exotel_ws.ai.embedded.models import example_flow

from benchmarks.ai import speech
from benchmarks.server import Server, launched

OURS: Final = "ours"
PEER: Final = "pipecat"
START_S: Final = 90.0
"""Time to load the models, long on a busy machine."""
SETTINGS: Final = """
[ai]
greeting = "{greeting}"
flow = "{flow}"
[ai.record]
transcripts = true
directory = "{calls}"
"""


@dataclass(frozen=True)
class Told:
    """Report of a server on a call: its understanding, turn by turn, and (ours) the outcome and the time of each stage in ms."""

    heard: list[str] = field(default_factory=list)
    outcome: str = ""
    stages_ms: Mapping[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bot:
    """Running server, and the place of its reports."""

    server: Server
    scratch: Path

    @property
    def url(self) -> str:
        """Return the URL of a call."""
        return f"ws://127.0.0.1:{self.server.port}/"

    def told(self) -> dict[str, Told]:
        """Return the reports on all calls that are over, by call_sid."""
        return _our_stories(self.scratch / "calls") if self.server.name == OURS else _peer_turns(self.scratch / "heard")


@contextmanager
def running(name: str, cores: list[int], port: int, scratch: Path, *, short: bool = True) -> Iterator[Bot]:
    """Start the server ``name`` (`OURS` or `PEER`) on ``cores`` for the length of the block. Raises ServerError.

    Its flow is the one that ships, with a ``short`` answer unless that is false.
    """
    flow, shipped = scratch / "flow.yml", example_flow().read_text("utf-8")
    flow.write_text(speech.flow(shipped) if short else shipped, "utf-8")
    command = _ours(flow, port, scratch) if name == OURS else _peers(flow, port, scratch)
    with launched(name, command, cores, port, scratch, start_s=START_S) as server:
        yield Bot(server, scratch)


def _ours(flow: Path, port: int, scratch: Path) -> list[str]:
    settings, calls = scratch / "settings.toml", scratch / "calls"
    settings.write_text(SETTINGS.format(greeting=speech.GREETING, flow=flow, calls=calls), "utf-8")
    calls.mkdir()
    return [
        *(str(Path(sysconfig.get_path("scripts")) / "exotel-ws"), "serve", "--mode", "ai", "--settings", str(settings)),
        *("--host", "127.0.0.1", "--port", str(port), "--log-format", "json", "--metrics-dir", str(scratch / "metrics")),
    ]


def _peers(flow: Path, port: int, scratch: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "benchmarks.ai.peer", "--port", str(port), "--flow", str(flow)),
        *("--greeting", speech.GREETING, "--heard", str(scratch / "heard")),
    ]


def _our_stories(folder: Path) -> dict[str, Told]:
    told = {}
    for file in folder.glob("*.json"):
        story: dict[str, Any] = json.loads(file.read_text("utf-8"))
        heard = [str(event["text"]) for event in story["events"] if event["what"] == "caller"]
        told[str(story["call_sid"])] = Told(heard, str(story["outcome"]), story["stages_ms"])
    return told


def _peer_turns(file: Path) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for line in file.read_text("utf-8").splitlines():
        turn = json.loads(line)
        if turn["text"]:
            told.setdefault(turn["call_sid"], Told()).heard.append(turn["text"])
    return told
