"""Figures of a round's calls: latencies at the caller's end of the line, in ms, and faults."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import soxr
from exotel_phone.talk import measure, sound
from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.playback import Utterance
from exotel_ws.ai.embedded.models import STT_RATE, Recogniser
from rapidfuzz import fuzz, utils

from benchmarks.ai.loads import Load, Round
from benchmarks.ai.server import Told
from benchmarks.ai.speech import answered

ALIKE: Final = 60
"""Least likeness, in percent, to some spoken sentence; a text below it is garbage."""
_AROUND: Final = bytes(STT_RATE // 5 * 2)
"""Silence of 0.2 s, without which the recogniser loses a first word."""


@dataclass(frozen=True)
class Part:
    """Figures of one load.

    ``to_audio_ms``: from the end of a caller's speech, as sent, to the first audio of the answer, as received;
    ``to_sound_ms``: to the first sound in it. ``to_clear_ms``: from a caller's first sound over the bot's to ``clear``;
    ``unheeded`` are those without one. ``greeting_ms`` from ``start`` to audio. ``gaps_ms`` are holes in the bot's speech.
    ``asked`` are the turns whose answer could be heard to its end, ``right`` those with the right one. ``understood`` are the
    texts the server understood, ``garbage`` those like no spoken sentence. ``turn_cpu_ms`` is the server's CPU time, a turn of
    the callers.
    """

    greeting_ms: list[float]
    to_audio_ms: list[float]
    to_sound_ms: list[float]
    to_clear_ms: list[float]
    unheeded: int
    gaps_ms: list[float]
    messages: int
    violations: int
    asked: int
    right: int
    wrong: list[str]
    understood: int
    garbage: list[str]
    stages_ms: dict[str, list[float]]
    turn_cpu_ms: float
    memory_mb: float
    late_ms: float
    callers_cores: float
    others_busy: float


@dataclass(frozen=True)
class Figures:
    """Figures of one server in one round."""

    idle_mb: float
    parts: dict[str, Part]


def figures(found: Round) -> Figures:
    """Return the figures of ``found``. This recognises the answers, which takes a moment."""
    return Figures(found.idle_mb, {name: _part(load) for name, load in found.loads.items()})


def _part(load: Load) -> Part:
    measured = [measure.figures(call) for call in load.calls]
    answers = [(call, said, _answer(call, said)) for call in load.calls for said in call.said]
    judged = [(said, _words(answer)) for call, said, answer in answers if not _interrupted(call, said)]
    wrong = [f"{said.turn.say} → {words or '(nothing)'}" for said, words in judged if not answered(said, words)]
    unsaid = [f"{turn.say} → (the call was over)" for call in load.calls for turn in call.unsaid]
    told = [(call, load.told.get(call.ids.call_sid, Told())) for call in load.calls]
    return Part(
        greeting_ms=[(call.spoken[0].begins - call.begins) * 1000 for call in load.calls if call.spoken],
        to_audio_ms=[(answer.begins - said.ends) * 1000 for _, said, answer in answers if answer],
        to_sound_ms=[took * 1000 for one in measured for took in one.voice_to_voice],
        to_clear_ms=[took * 1000 for one in measured for took in one.to_clear],
        unheeded=sum(barge_in.clear is None for one in measured for barge_in in one.barge_ins),
        gaps_ms=[gap * 1000 for one in measured for gap in one.gaps],
        messages=sum(len(call.sizes) for call in load.calls),
        violations=sum(len({violation.at for violation in call.violations}) for call in load.calls),
        asked=len(judged) + len(unsaid),
        right=len(judged) - len(wrong),
        wrong=wrong + unsaid,
        understood=sum(len(one.heard) for _, one in told),
        garbage=[text for call, one in told for text in one.heard if not _said_by(call, text)],
        stages_ms=_together(one for _, one in told),
        turn_cpu_ms=load.cpu_s * 1000 / sum(len(call.said) for call in load.calls),
        memory_mb=load.memory_mb,
        late_ms=max(call.late_max_ms for call in load.calls),
        callers_cores=load.own_s / load.seconds,
        others_busy=load.others_busy,
    )


def _answer(call: Call, said: Said) -> Utterance | None:
    """Return the bot's utterances that began between the end of ``said`` and the next turn."""
    until = next((after.begins for before, after in pairwise(call.said) if before is said), call.end.at)
    return next((one for one in call.spoken if said.ends <= one.begins < until), None)


def _interrupted(call: Call, said: Said) -> bool:
    return any(after.over_bot for before, after in pairwise(call.said) if before is said)


def _words(answer: Utterance | None) -> str:
    heard = sound.trimmed(answer.pcm, answer.rate) if answer else b""
    if not (answer and heard):
        return ""
    samples = soxr.resample(np.frombuffer(heard, "<i2"), answer.rate, STT_RATE)
    return _recogniser().recognise(_AROUND + np.asarray(samples, "<i2").tobytes() + _AROUND)


@cache
def _recogniser() -> Recogniser:
    return Recogniser()


def _said_by(call: Call, text: str) -> bool:
    return any(fuzz.ratio(text, said.turn.say, processor=utils.default_process) >= ALIKE for said in call.said)


def _together(told: Iterable[Told]) -> dict[str, list[float]]:
    stages: dict[str, list[float]] = {}
    for one in told:
        for name, took in one.stages_ms.items():
            stages.setdefault(name, []).extend(took)
    return stages
