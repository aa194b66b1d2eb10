"""The latencies of a call, as the caller's ear has them: from sound to sound. Pure. Seconds."""

import dataclasses
from collections.abc import Iterable, Sequence

from exotelctl.bot_call.playback import Clear
from exotelctl.bot_call.record import Call, Said
from exotelctl.echo_meter import percentile


@dataclasses.dataclass(frozen=True, slots=True)
class BargeIn:
    """``said`` was begun while the bot spoke; ``clear`` is how that made it stop, None: it spoke on."""

    said: Said
    clear: Clear | None

    @property
    def seconds(self) -> float | None:
        """From the caller's first sound to the ``clear``."""
        return None if self.clear is None else self.clear.at - self.said.begins


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """``voice_to_voice`` from the end of each spoken turn to the answer's first sound, ``key_to_voice`` from the last key.

    ``greeting`` is from ``start`` to the first sound, None where the caller spoke first. ``gaps`` are the holes in what the bot
    said. ``idle_clears`` had nothing to clear.
    """

    greeting: float | None
    voice_to_voice: list[float]
    key_to_voice: list[float]
    barge_ins: list[BargeIn]
    gaps: list[float]
    idle_clears: int

    @property
    def to_clear(self) -> list[float]:
        """From each barge-in that was obeyed to its ``clear``."""
        return [one.seconds for one in self.barge_ins if one.seconds is not None]


def figures(call: Call) -> Figures:
    """What ``call`` measures."""
    return Figures(
        greeting=_greeting(call),
        voice_to_voice=_latencies(said for said in call.said if said.pcm),
        key_to_voice=_latencies(said for said in call.said if not said.pcm),
        barge_ins=_barge_ins(call),
        gaps=[length for utterance in call.spoken for _at, length in utterance.gaps],
        idle_clears=sum(clear.dropped_s == 0 for clear in call.clears),
    )


def latency(said: Said) -> float | None:
    """From the end of a turn to its answer's first sound; None: there was none."""
    heard = said.answer.heard_from if said.answer is not None else None
    return None if heard is None else heard - said.ends


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The median and the maximum of ``values``, which are not empty."""
    return percentile(values, 50), max(values)


def _greeting(call: Call) -> float | None:
    heard = call.spoken[0].heard_from if call.spoken else None
    if heard is None or (call.said and call.said[0].begins < heard):
        return None
    return call.at(heard)


def _latencies(turns: Iterable[Said]) -> list[float]:
    return [value for said in turns if (value := latency(said)) is not None]


def _barge_ins(call: Call) -> list[BargeIn]:
    found = []
    for said, until in zip(call.said, [*(later.begins for later in call.said[1:]), call.end.at], strict=True):
        if said.over is not None:
            clears = (clear for clear in call.clears if said.begins <= clear.at <= until)
            found.append(BargeIn(said, next(clears, None)))
    return found
