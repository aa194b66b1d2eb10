"""Measure calls by remote services: the CPU and the memory of one more, beside pipecat's own path, and many on one core."""

import asyncio
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from exotel_phone.talk import measure
from exotel_phone.talk.call import Call

from benchmarks.__main__ import free_port
from benchmarks.ai import calls, loads
from benchmarks.ai.server import OURS, PEER, START_S, Bot
from benchmarks.ai.speech import HOURS, script
from benchmarks.server import launched

FEW: Final = 10
MANY: Final = 50
TURNS: Final = 3
APART_S: Final = 0.37
GOAL: Final = 0.8
"""Most CPU of a call relative to pipecat's."""
_GAP_S: Final = 0.1
"""Hole in the bot's speech from which on it is heard as one. The callers are themselves late by some of it."""
_SETTINGS: Final = """
[ai]
greeting = "Hello, how can I help?"
max_calls = 100
stt = ["deepgram"]
llm = ["openai"]
tts = ["cartesia"]
[ai.limits]
requests_per_minute = 1000
requests_at_once = 1000
[ai.services.deepgram]
base_url = "ws://127.0.0.1:{port}"
credential = "{key}"
[ai.services.openai]
model = "of-the-benchmark"
base_url = "http://127.0.0.1:{port}/v1"
credential = "{key}"
[ai.services.cartesia]
base_url = "ws://127.0.0.1:{port}/tts/websocket"
voice = "a0e9"
credential = "{key}"
"""


@dataclass(frozen=True)
class Part:
    """Figures of one load. ``cpu`` is the server's, of one core, for each call; ``memory_mb`` what it needs more for each.

    ``gaps`` are holes in the bot's speech of `_GAP_S` or more; ``unanswered`` turns after which the bot said nothing.
    """

    cpu: float
    memory_mb: float
    answers: int
    unanswered: int
    gaps: int
    voice_to_voice_ms: list[float]
    late_ms: float
    others_busy: float


Round = dict[str, dict[str, Part]]
"""Parts by server and by load: `FEW` or `MANY` calls."""


def measured(cores: Sequence[int], rounds: int) -> list[Round]:
    """Measure both servers in each round, on the first core; callers and services are on the second. Raises LoadError."""
    return [
        {name: _server(name, cores, number) for name in ((OURS, PEER) if number % 2 == 0 else (PEER, OURS))}
        for number in range(rounds)
    ]


def _server(name: str, cores: Sequence[int], number: int) -> dict[str, Part]:
    found = {}
    for size in (FEW, MANY):
        with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
            found[str(size)] = _load(name, cores, size, Path(folder))
        print(f"round {number + 1}  {name:<8} {size} calls: {asdict(found[str(size)])}", flush=True)
    return found


def _load(name: str, cores: Sequence[int], size: int, scratch: Path) -> Part:
    port, services, folder = free_port(), free_port(), scratch / "services"
    folder.mkdir()
    (scratch / "key").write_text("of-nobody")
    (scratch / "key").chmod(0o600)
    settings = scratch / "settings.toml"
    settings.write_text(_SETTINGS.format(port=services, key=scratch / "key"))
    fakes = [sys.executable, "-m", "benchmarks.ai.remote.fakes", "--port", str(services)]
    with (
        launched("fakes", fakes, list(cores[1:2]), services, folder),
        launched(name, _command(name, port, settings, scratch), list(cores[:1]), port, scratch, start_s=START_S) as server,
    ):
        bot = Bot(server, scratch)
        return asyncio.run(_placed(bot, size))


async def _placed(bot: Bot, size: int) -> Part:
    await calls.staggered(bot.url, [script((HOURS,), 1)], APART_S)  # what is made once, for all calls
    idle_mb = loads.memory_mb(bot.server)
    scripts = [script((HOURS,), TURNS, caller=number) for number in range(size)]
    load = await loads.watched(bot, lambda: calls.staggered(bot.url, scripts, APART_S))
    return _part(load, idle_mb)


def _part(load: loads.Load, idle_mb: float) -> Part:
    talked_s = sum(call.end.at - call.begins for call in load.calls)
    figures = [measure.figures(call) for call in load.calls]
    return Part(
        cpu=load.cpu_s / talked_s,
        memory_mb=(load.memory_mb - idle_mb) / len(load.calls),
        answers=sum(len(call.spoken) for call in load.calls),
        unanswered=sum(map(_unanswered, load.calls)),
        gaps=sum(gap >= _GAP_S for one in figures for gap in one.gaps),
        voice_to_voice_ms=[took * 1000 for one in figures for took in one.voice_to_voice],
        late_ms=max(call.late_max_ms for call in load.calls),
        others_busy=load.others_busy,
    )


def _unanswered(call: Call) -> int:
    return sum(not any(one.begins >= said.ends for one in call.spoken) for said in call.said) + len(call.unsaid)


def _command(name: str, port: int, settings: Path, scratch: Path) -> list[str]:
    if name == PEER:
        return [
            *(sys.executable, "-m", "benchmarks.ai.peer", "--port", str(port), "--settings", str(settings)),
            *("--greeting", "Hello, how can I help?", "--heard", str(scratch / "heard")),
        ]
    return [
        *(str(Path(sysconfig.get_path("scripts")) / "exotel-ws"), "serve", "--mode", "ai", "--settings", str(settings)),
        *("--host", "127.0.0.1", "--port", str(port), "--log-format", "json", "--metrics-dir", str(scratch / "metrics")),
    ]


def text(found: Sequence[Round]) -> str:
    """Return the table."""

    def shown(size: int, name: str, what: str, digits: int = 1, factor: float = 1.0) -> str:
        values = [getattr(one[name][str(size)], what) * factor for one in found]
        return f"{statistics.median(values):.{digits}f}"

    def p50(size: int, name: str) -> str:
        return f"{statistics.median([took for one in found for took in one[name][str(size)].voice_to_voice_ms]):.0f}"

    ratios = sorted(one[OURS][str(FEW)].cpu / one[PEER][str(FEW)].cpu for one in found)
    rows = [
        ("CPU of a call, % of a core", *(shown(FEW, name, "cpu", 2, 100) for name in (OURS, PEER))),
        ("memory of one more call, MB", *(shown(FEW, name, "memory_mb") for name in (OURS, PEER))),
        ("voice to voice, p50, ms", *(p50(FEW, name) for name in (OURS, PEER))),
        (f"{MANY} calls at once: CPU, % of a core", *(shown(MANY, name, "cpu", 0, 100 * MANY) for name in (OURS, PEER))),
        (f"{MANY} calls: voice to voice, p50, ms", *(p50(MANY, name) for name in (OURS, PEER))),
        (f"{MANY} calls: holes in what is heard", *(shown(MANY, name, "gaps", 0) for name in (OURS, PEER))),
        (f"{MANY} calls: turns without an answer", *(shown(MANY, name, "unanswered", 0) for name in (OURS, PEER))),
    ]
    ratio = f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})"
    return "\n".join(
        [
            "| calls by remote services | ours | pipecat's own path |",
            "|---|--:|--:|",
            *(f"| {label} | {ours} | {theirs} |" for label, ours, theirs in rows),
            "",
            f"CPU of a call relative to pipecat's: {ratio}, at most {GOAL} wanted. {_conditions(found)}",
        ]
    )


def _conditions(found: Sequence[Round]) -> str:
    parts = [part for one in found for each in one.values() for part in each.values()]
    return (
        "Deepgram, OpenAI and Cartesia are fakes on their wire, at real pace, on the callers' core; the server has one to "
        f"itself. {len(found)} round{'s' * (len(found) > 1)}, {datetime.now(UTC):%Y-%m-%d}, {TURNS} turns a call; a hole is of "
        f"{_GAP_S * 1000:.0f} ms or more. The callers were up to {max(part.late_ms for part in parts):.0f} ms behind their own "
        f"pace; the services and all others used up to {max(part.others_busy for part in parts):.2f} cores beside. "
        "Again: `python -m benchmarks.ai --only remote`."
    )


def missed(found: Sequence[Round]) -> list[str]:
    """Return the goals that are missed, in words."""
    ratio = statistics.median(one[OURS][str(FEW)].cpu / one[PEER][str(FEW)].cpu for one in found)
    goals = [f"CPU of a call is {ratio:.2f} of pipecat's, at most {GOAL} is wanted"] * (ratio > GOAL)
    gaps = max(one[OURS][str(MANY)].gaps for one in found)
    return goals + [f"{gaps} holes in what {MANY} callers heard"] * bool(gaps)


def kept(found: Sequence[Round]) -> list[dict[str, Any]]:
    """Return the raw figures, for JSON."""
    return [{name: {size: asdict(part) for size, part in each.items()} for name, each in one.items()} for one in found]
