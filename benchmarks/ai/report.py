"""Rounds of figures in, the Markdown tables out."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from exotel_phone.echo_meter import percentile

from benchmarks.ai.echo import Echo
from benchmarks.ai.figures import Figures, Part
from benchmarks.ai.loads import MANY
from benchmarks.ai.server import OURS, PEER

Rounds = Sequence[Figures]
Value = Callable[[Rounds], float | None]
"""Function from some rounds of one server to one number; None if nothing was measured."""

ALONE: Final = ("alone", "interrupting")
ALL: Final = (*ALONE, "few", "in step", "staggered")
STAGES: Final = {
    "turn_end": "the turn is over, after the voice detector's word",
    "stt": "the words are there, after the same",
    "llm_first_token": "first token, after the request",
    "tts_first_audio": "first audio, after the first sentence",
    "voice_to_voice": "voice to voice, as the server has it",
    "barge_in": "barge-in to `clear`, as the server has it",
}


@dataclass(frozen=True)
class Row:
    """Number with a unit of which less is better, and whose goal is at most ``most`` (None: no goal)."""

    title: str
    value: Value
    unit: str = "ms"
    most: float | None = None
    digits: int = 0

    def shown(self, rounds: Rounds) -> str:
        """Return the number of all rounds together."""
        value = self.value(rounds)
        return "–" if value is None else f"{value:.{self.digits}f} {self.unit}"

    def missed(self, rounds: Rounds) -> bool:
        """Return whether there is a goal and it is not reached."""
        value = self.value(rounds)
        return self.most is not None and (value is None or value > self.most)


@dataclass(frozen=True)
class Count:
    """Count of an event: ``shown`` is its text, ``ok`` the judgement of its goal."""

    title: str
    goal: str
    shown: Callable[[Sequence[Part]], str]
    ok: Callable[[Sequence[Part]], bool]


def _spread(loads: Sequence[str], of: Callable[[Part], list[float]], percent: float) -> Value:
    def value(rounds: Rounds) -> float | None:
        values = [one for part in _parts(rounds, loads) for one in of(part)]
        return percentile(values, percent) if values else None

    return value


def _median(of: Callable[[Figures], float]) -> Value:
    return lambda rounds: statistics.median(of(figures) for figures in rounds)


def _parts(rounds: Rounds, loads: Sequence[str] = ALL) -> list[Part]:
    return [figures.parts[load] for figures in rounds for load in loads if load in figures.parts]


ALONE_P50: Final = Row("1 call: voice to voice, p50", _spread(ALONE, lambda part: part.to_audio_ms, 50), most=600)
ALONE_P95: Final = Row("1 call: voice to voice, p95", _spread(ALONE, lambda part: part.to_audio_ms, 95), most=800)
IN_STEP_P95: Final = Row(
    f"{MANY} calls in step: voice to voice, p95", _spread(["in step"], lambda part: part.to_audio_ms, 95), most=1500
)
ROWS: Final = (
    ALONE_P50,
    ALONE_P95,
    Row("1 call: voice to first sound, p50", _spread(ALONE, lambda part: part.to_sound_ms, 50)),
    Row("1 call: voice to first sound, p95", _spread(ALONE, lambda part: part.to_sound_ms, 95)),
    Row("1 call: `start` to greeting, the longest", _spread(ALONE, lambda part: part.greeting_ms, 100), most=400),
    Row("1 call: barge-in to `clear`, p50", _spread(ALONE, lambda part: part.to_clear_ms, 50)),
    Row("1 call: barge-in to `clear`, p95", _spread(ALONE, lambda part: part.to_clear_ms, 95), most=400),
    Row("1 call: CPU time a turn", _median(lambda figures: figures.parts["alone"].turn_cpu_ms)),
    Row("1 call beside a hostile caller: voice to voice, p50", _spread(["beside"], lambda part: part.to_audio_ms, 50)),
    Row("the same, ÷ the same questions without", lambda rounds: _beside(rounds), unit="", digits=2),
    Row(f"{MANY} calls in step: voice to voice, p50", _spread(["in step"], lambda part: part.to_audio_ms, 50)),
    IN_STEP_P95,
    Row(f"{MANY} calls in step: `start` to greeting, p95", _spread(["in step"], lambda part: part.greeting_ms, 95)),
    Row(f"{MANY} calls staggered: voice to voice, p50", _spread(["staggered"], lambda part: part.to_audio_ms, 50)),
    Row(f"{MANY} calls staggered: voice to voice, p95", _spread(["staggered"], lambda part: part.to_audio_ms, 95), most=1500),
    Row(f"{MANY} calls staggered: CPU time a turn", _median(lambda figures: figures.parts["staggered"].turn_cpu_ms)),
    Row("Memory: no call yet", _median(lambda figures: figures.idle_mb), unit="MB"),
    Row("Memory: 1 call", _median(lambda figures: figures.parts["alone"].memory_mb), unit="MB"),
    Row("Memory: 5 calls", _median(lambda figures: figures.parts["few"].memory_mb), unit="MB"),
    Row("Memory: 10 calls", _median(lambda figures: figures.parts["in step"].memory_mb), unit="MB"),
    Row("Memory: each call after the first", _median(lambda figures: _further_mb(figures)), unit="MB", most=15, digits=1),
)

COUNTS: Final = (
    Count(
        "Right answers, by ear",
        "all",
        lambda parts: f"{sum(part.right for part in parts)} of {sum(part.asked for part in parts)}",
        lambda parts: all(part.right == part.asked for part in parts),
    ),
    Count(
        "Transcripts like nothing that was said",
        "0",
        lambda parts: f"{sum(len(part.garbage) for part in parts)} of {sum(part.understood for part in parts)}",
        lambda parts: not any(part.garbage for part in parts),
    ),
    Count(
        "Barge-ins without a `clear`",
        "0",
        lambda parts: str(sum(part.unheeded for part in parts)),
        lambda parts: not any(part.unheeded for part in parts),
    ),
    Count(
        "Holes in what the bot says",
        "0",
        lambda parts: _holes([gap for part in parts for gap in part.gaps_ms]),
        lambda parts: not any(part.gaps_ms for part in parts),
    ),
    Count(
        "Messages that break Exotel's rules of size",
        "0",
        lambda parts: f"{sum(part.violations for part in parts)} of {sum(part.messages for part in parts)}",
        lambda parts: not any(part.violations for part in parts),
    ),
)


def comparison(ours: Rounds, theirs: Rounds) -> str:
    """Return the table of ours beside pipecat's own path. Rounds of the same number were measured one after the other."""
    lines = [f"| | goal | {OURS} | {PEER} | {OURS} ÷ {PEER} |", "|---|---|---|---|---|"]
    for row in ROWS:
        goal = "" if row.most is None else f"≤ {row.most:g} {row.unit}"
        lines.append(f"| {row.title} | {goal} | {row.shown(ours)} | {row.shown(theirs)} | {_ratio(row.value, ours, theirs)} |")
    for count in COUNTS:
        lines.append(f"| {count.title} | {count.goal} | {count.shown(_parts(ours))} | {count.shown(_parts(theirs))} | |")
    return "\n".join(lines)


def stages(ours: Rounds) -> str:
    """Return the table of times of a turn's stages, as our server takes them."""
    lines = [
        f"| of a turn, ms | 1 call: p50 | p95 | {MANY} calls in step: p50 | p95 |",
        "|---|---|---|---|---|",
    ]
    for name, text in STAGES.items():
        values = [_spread(loads, partial(_stage, name), percent)(ours) for loads in (ALONE, ["in step"]) for percent in (50, 95)]
        lines.append(f"| {text} | {' | '.join('–' if value is None else f'{value:.0f}' for value in values)} |")
    return "\n".join(lines)


def echo(before: Sequence[Echo], now: Sequence[Echo]) -> str:
    """Return the table of an echo worker before AI mode and with it."""
    rows: tuple[tuple[str, str, int, Callable[[Echo], float]], ...] = (
        ("Start up to the last import, CPU time", " ms", 0, lambda one: one.start_ms),
        ("Modules loaded", "", 0, lambda one: one.modules),
        ("Memory of an idle worker", " KiB", 0, lambda one: one.idle_kib),
        ("CPU per frame, 100 paced calls", " µs", 1, lambda one: one.cpu_us_per_frame),
    )
    lines = ["| an echo worker | before AI mode | with it | ratio |", "|---|---|---|---|"]
    for title, unit, digits, of in rows:
        was, is_ = statistics.median(map(of, before)), statistics.median(map(of, now))
        ratio = _of_rounds([of(after) / of(earlier) for earlier, after in zip(before, now, strict=True)])
        lines.append(f"| {title} | {was:.{digits}f}{unit} | {is_:.{digits}f}{unit} | {ratio} |")
    return "\n".join(lines)


def missed(ours: Rounds) -> list[str]:
    """Return the goals that our server does not reach."""
    rows = [f"{row.title}: {row.shown(ours)}" for row in ROWS if row.missed(ours)]
    return rows + [f"{count.title}: {count.shown(_parts(ours))}" for count in COUNTS if not count.ok(_parts(ours))]


def _stage(name: str, part: Part) -> list[float]:
    return part.stages_ms.get(name, [])


def _beside(rounds: Rounds) -> float | None:
    beside, alone = (_spread([load], lambda part: part.to_audio_ms, 50)(rounds) for load in ("beside", "alone"))
    return beside / alone if beside and alone else None


def _further_mb(figures: Figures) -> float:
    return (figures.parts["in step"].memory_mb - figures.parts["alone"].memory_mb) / (MANY - 1)


def _holes(gaps_ms: list[float]) -> str:
    return f"{len(gaps_ms)}, the longest {max(gaps_ms):.0f} ms" if gaps_ms else "0"


def _ratio(value: Value, ours: Rounds, theirs: Rounds) -> str:
    pairs = [(value([one]), value([other])) for one, other in zip(ours, theirs, strict=True)]
    ratios = [one / other for one, other in pairs if one is not None and other]
    return _of_rounds(ratios) if len(ratios) == len(pairs) else "–"


def _of_rounds(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
