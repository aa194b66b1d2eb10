"""Callers on a line that carries more than their voice: noise, a room, a second talker, the bot's own voice."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from exotel_phone.talk.call import Said
from exotel_phone.talk.caller import Caller
from exotel_phone.target import parse
from exotel_phone.wire import FRAME_MS, frame_bytes

from benchmarks.ai.listening.speech import RATE, narrow
from tests.speech.sounds import Echo, mu_law, pcm16, samples

NOISE_DB: Final = 35.0
"""Noise of every line, in dB below the voice."""
_NOISE_S: Final = 5.0
_FRAME_S: Final = FRAME_MS / 1000


def noise(below_db: float = NOISE_DB) -> bytes:
    """Return some seconds of noise in the band of a telephone, ``below_db`` below a voice; always the same."""
    hiss = narrow(np.random.default_rng(1).normal(0, 0.1, int(_NOISE_S * RATE)), RATE)
    return pcm16(hiss * 10 ** (-below_db / 20))


class Line(Caller):
    """Call over such a line. What it carries is coded as µ-law, frame by frame."""

    def __init__(
        self,
        url: str,
        script: Sequence[Said],
        *,
        barge_in_s: float | None = None,
        background: bytes = b"",
        echo: Echo | None = None,
    ) -> None:
        """``background`` sounds again and again, beside the noise of every line; ``echo`` brings back what the bot says."""
        super().__init__(parse(url), RATE, script, strip_query=False, barge_in_s=barge_in_s)
        self._sounds = [_Loop(noise()), *([_Loop(background)] if background else [])]
        self._echo = echo
        self._given_up = False

    def give_up(self) -> None:
        """End the call: the caller hangs up, whatever is still unsaid or unheard."""
        self._given_up = True

    async def _take_turn(self, said: Said, *, last: bool) -> None:
        if not self._given_up:
            await super()._take_turn(said, last=last)

    async def _until(self, probe: Callable[[], bool], within_s: float) -> None:
        await super()._until(lambda: self._given_up or probe(), within_s)

    def _line(self) -> Iterator[bytes]:
        for frame in super()._line():
            heard = samples(frame)
            for sound in self._sounds:
                heard = heard + samples(sound.next(len(frame)))
            if self._echo is not None:
                heard = heard + samples(self._echo.back(self._loop.time() - _FRAME_S, _FRAME_S))
            yield mu_law(pcm16(heard))

    def _take(self, message: dict[str, Any], pcm: bytes, at: float) -> None:
        if self._echo is not None and message["event"] == "media":
            self._echo.play(max(at, self.playback.ends_at), pcm)
        elif self._echo is not None and message["event"] == "clear":
            self._echo.clear(at)
        super()._take(message, pcm, at)


class _Loop:
    """Sound that begins again when it is over."""

    def __init__(self, pcm: bytes) -> None:
        self._pcm = pcm + pcm[: frame_bytes(RATE)]
        self._length = len(pcm)
        self._at = 0

    def next(self, size: int) -> bytes:
        """Return the next ``size`` bytes, a frame at most."""
        piece = self._pcm[self._at : self._at + size]
        self._at = (self._at + size) % self._length
        return piece
