"""Measure the latencies of a call as the caller hears them, from sound to sound. Pure. Seconds."""

import dataclasses
from typing import Final

from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.playback import Clear, Utterance

_BLIP_S: Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class BargeIn:
    """A turn ``said`` while the bot spoke; ``clear`` is the one that made the bot stop, None if it spoke on."""

    said: Said
    clear: Clear | None

    @property
    def seconds(self) -> float | None:
        """Return the seconds from the caller's first sound to the ``clear``."""
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
        """Return the seconds from each obeyed barge-in to its ``clear``."""
        return [one.seconds for one in self.barge_ins if one.seconds is not None]


def figures(call: Call) -> Figures:
    """Return the figures of ``call``."""
    took_s = [(said, took) for said in call.said if (took := latency(call, said)) is not None]
    return Figures(
        greeting=_greeting(call),
        voice_to_voice=[took for said, took in took_s if said.pcm],
        key_to_voice=[took for said, took in took_s if not said.pcm],
        barge_ins=_barge_ins(call),
        gaps=[length for utterance in call.spoken for _at, length in utterance.gaps],
        idle_clears=sum(clear.dropped_s == 0 for clear in call.clears),
    )


def latency(call: Call, said: Said) -> float | None:
    """Return the time from the end of ``said`` to the bot's first sound after it and before the next turn; None: no sound."""
    until = next((later.begins for later in call.said if later.begins > said.begins), call.end.at)
    began = (one.heard_from for one in call.spoken if said.ends <= one.begins < until and not _blip(one))
    heard = next((heard for heard in began if heard is not None), None)
    return None if heard is None else heard - said.ends


def _blip(utterance: Utterance) -> bool:
    """Return True if it was cut before anybody could have understood a word of it."""
    return bool(utterance.cut) and utterance.ends - utterance.begins < _BLIP_S


def _greeting(call: Call) -> float | None:
    heard = call.spoken[0].heard_from if call.spoken else None
    if heard is None or (call.said and call.said[0].begins < heard):
        return None
    return call.at(heard)


def _barge_ins(call: Call) -> list[BargeIn]:
    found = []
    untils = [*(later.begins for later in call.said[1:]), call.end.at]
    for said, until in zip(call.said, untils, strict=False):  # one more where nothing was said
        if said.over_bot and said.pcm:
            clears = (clear for clear in call.clears if said.begins <= clear.at <= until)
            found.append(BargeIn(said, next(clears, None)))
    return found
