"""Know the bot's own voice when it comes back: from a speaker phone, or from a line that is not balanced.

What was played is known, and when. An echo rises and falls as that did, somewhat later and softer: once a delay is found at which
the two levels go together, the level of the echo can be told beforehand, and what is not above it is no caller.
"""

from collections import deque
from typing import Any, Final
from weakref import WeakSet

import numpy as np

from exotel_ws.ai.hearing.sayings import Sayings
from exotel_ws.ai.hearing.windows import SILENCE_DB

_SLOT_S: Final = 0.02
"""Seconds for which the level of what is played is kept; messages of the playout are multiples of it."""
_SLOTS: Final = 256
"""Slots remembered, five seconds."""
_LAGS: Final = 60
"""Delays that are tried, in slots: up to 1.2 s, with the network to Exotel and back in it."""
_WINDOWS: Final = 48
"""Windows that are compared, a second and a half."""
_EVERY: Final = 4
"""Windows between two comparisons."""
_REMEMBERED: Final = 24
"""Comparisons whose result is remembered, three seconds."""
_UNKNOWN: Final = 0.75
"""Correlation before anything was compared, in the first second and a half: its own words are taken for the bot's."""
_ALIKE: Final = 0.8
"""Least correlation of an echo's levels with those of what was played, in dB."""
_TIMES: Final = 3
"""Comparisons in a row that have to find the same delay."""
_STILL_ALIKE: Final = 0.5
_FORGOTTEN: Final = 24
"""Comparisons in a row, three seconds of the bot's voice, less alike than `_STILL_ALIKE`; then there is no echo any more."""
_RANGE_DB: Final = 30.0
"""Levels so far below the loudest count as silence."""
_NOISE_DB: Final = 3.0
"""Distance by which noise exceeds its own quietest tenth."""
_VARIES_DB: Final = 3.0
"""Least standard deviation of levels that can be compared."""
_ABOVE_DB: Final = 6.0
"""Distance from the echo's level above which it is the caller who speaks over it."""
_LEAST_LOSS_DB: Final = 10.0
"""Least loss of an echo. What comes back louder can't be told from a caller by its level."""
_SMEARED: Final = 3
"""Slots, before and after, whose level a window may have: windows and slots do not coincide, and rooms ring."""
_LEGS: Final = 3
"""Other legs of a call whose words are compared: each costs time."""

Levels = np.ndarray[Any, np.dtype[np.float32]]


class Played:
    """Levels and words of what the caller is played, by the time at which it is heard."""

    def __init__(self, sample_rate: int, call: "WeakSet[Played] | None" = None) -> None:
        """``sample_rate`` is the stream's in Hz; ``call`` are those of the other legs of this call, which this one joins."""
        self._rate = sample_rate
        self._call: WeakSet[Played] = WeakSet() if call is None else call
        self.until = float("-inf")
        """Time in seconds at which the last of it was, or will be, heard."""
        self.words = Sayings()
        self._levels = np.full(_SLOTS, SILENCE_DB, np.float32)
        self._slot = np.full(_SLOTS, -1)
        """Number of the slot, counted from time 0, whose level is at a place."""
        self._call.add(self)

    def sent(self, begins: float, pcm: bytes) -> None:
        """Take audio that is heard from ``begins`` on, in seconds: PCM16 little-endian mono."""
        size = int(self._rate * _SLOT_S)
        sound = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
        sound = np.pad(sound, (0, -len(sound) % size)).reshape(-1, size)
        levels = 10 * np.log10(np.maximum(np.einsum("ij,ij->i", sound, sound) / size, 10 ** (SILENCE_DB / 10)))
        slots = round(begins / _SLOT_S) + np.arange(len(levels))
        self._levels[slots % _SLOTS] = levels
        self._slot[slots % _SLOTS] = slots
        self.until = begins + len(levels) * _SLOT_S

    def cleared(self, at: float) -> None:
        """Forget what would have been heard after ``at``."""
        self._slot[self._slot >= round(at / _SLOT_S)] = -1
        self.until = min(self.until, at)

    def sounds(self, at: float) -> bool:
        """Return True if something that comes in at the time ``at`` may be an echo."""
        return at - self.until <= _LAGS * _SLOT_S

    def other_leg_sounds(self, at: float) -> bool:
        """Return True if what comes in at the time ``at`` may be the bot of another leg of this call."""
        return any(leg.sounds(at) for leg in self._call if leg is not self)

    def without_own(self, text: str, now: float, *, over: bool, sure: bool, other_leg: bool) -> str:
        """Return ``text``, which was heard, without the bot's own words; see `Sayings.without`.

        ``other_leg``: it began while the bot of another leg spoke, and may be any part of what that one said.
        """
        text = self.words.without(text, now, over=over, sure=sure)
        others = [leg for leg in self._call if leg is not self and other_leg]
        for leg in others[:_LEGS]:
            text = leg.words.without(text, now, over=True, few=True)
        return text

    def before(self, at: Any, count: int) -> Levels:
        """Return the levels of the last ``count`` slots until ``at``, the latest first, in dB of full scale.

        ``at`` is a time or an array of times, of which there are rows of levels then.
        """
        slots = np.asarray(at / _SLOT_S).astype(int)[..., np.newaxis] - np.arange(count)
        return np.where(self._slot[slots % _SLOTS] == slots, self._levels[slots % _SLOTS], np.float32(SILENCE_DB))


class EchoPath:
    """Way of the bot's voice back to one call: whether there is one, its delay and its loss."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._near = np.zeros(_WINDOWS, np.float32)
        self._far = np.zeros((_WINDOWS, _LAGS), np.float32)
        self._at = np.zeros(_WINDOWS)
        self._count = self._unread = 0
        """Windows so far, and how many of the last have no row in `_far` yet: it is not needed while nothing comes in."""
        self._found = (0, 0)
        """Delay that the last comparisons found, in slots, and how many of them."""
        self.delay: int | None = None
        """Delay of the echo in slots of 20 ms; None while none is known."""
        self.loss_db = 0.0
        self._unlike = 0
        """Comparisons in a row in which what came in had nothing to do with what was played."""
        self._alike: deque[float] = deque(maxlen=_REMEMBERED)
        self._alike_softer: deque[float] = deque(maxlen=_REMEMBERED)
        """`_alike` where what came in was softer by the least loss of an echo, and 0 where it was not."""

    @property
    def likeness(self) -> float:
        """Return the greatest correlation of the last seconds in which the bot spoke.

        Words are recognised some time after they sounded.
        """
        return max(self._alike, default=_UNKNOWN)

    @property
    def likeness_of_softer(self) -> float:
        """Return the greatest correlation of what was softer than the bot, as an echo is.

        The levels of a caller's "where is my order?" go with the bot's by chance as well as an echo's do (0.85), at one of all
        the delays.
        """
        return max(self._alike_softer, default=_UNKNOWN)

    def may_be(self, at: float, level: float) -> bool:
        """Return True if what sounds at ``at`` with ``level``, in dB of full scale, may be this bot, or that of another leg."""
        if self._played.other_leg_sounds(at):
            return True
        return self._played.sounds(at) and level < float(self._played.before(at, _LAGS).max()) - _LEAST_LOSS_DB

    def is_echo(self, at: float, level: float) -> bool:
        """Take the level of a window in dB of full scale, which ended at ``at``. Return True if it is not above the echo's."""
        if not self._played.sounds(at):
            self._read()
            return False
        if self._unread == _WINDOWS:
            self._read()
        self._near[self._count % _WINDOWS] = level
        self._at[self._count % _WINDOWS] = at
        self._count += 1
        self._unread += 1
        if self._count >= _WINDOWS and not self._count % _EVERY:
            self._compare()
        if self.delay is None:
            return False
        far = self._played.before(at, _LAGS + _SMEARED)
        expected = float(far[max(0, self.delay - _SMEARED) : self.delay + _SMEARED + 1].max()) - self.loss_db
        return level < expected + _ABOVE_DB

    def _compare(self) -> None:
        loudest, quiet = self._near.max(), np.partition(self._near, _WINDOWS // 10)[_WINDOWS // 10]
        reach = min(_RANGE_DB, loudest - quiet - _NOISE_DB)
        if reach < 2 * _VARIES_DB:  # levels within it deviate by half of it at most, and those of silence are most of a call's
            self._note(0.0, 0.0)
            return
        near = np.maximum(self._near, loudest - reach)
        spread_near = near.std()
        if spread_near < _VARIES_DB:
            self._note(0.0, 0.0)
            return
        self._read()
        far = np.maximum(self._far, self._far.max() - reach)
        near, far = near - near.mean(), far - far.mean(axis=0)
        spread_far = far.std(axis=0)
        alike = near @ far / (_WINDOWS * spread_near * np.maximum(spread_far, 1e-3))
        alike[spread_far < _VARIES_DB] = 0
        best = int(alike.argmax())
        played = self._far[:, best]
        loud = played > played.max() - _RANGE_DB / 3
        loss = float(np.median(played[loud] - self._near[loud]))
        self._note(float(alike[best]), loss)
        delay, times = self._found
        if alike[best] < _ALIKE:
            self._found = (0, 0)
            return
        self._found = (best, times + 1 if abs(best - delay) <= 1 else 1)
        if self._found[1] >= _TIMES and loss >= _LEAST_LOSS_DB:
            self.delay, self.loss_db = best, loss

    def _read(self) -> None:
        """Read what was played before each of the last windows, while that is remembered."""
        if self._unread:
            places = np.arange(self._count - self._unread, self._count) % _WINDOWS
            self._far[places] = self._played.before(self._at[places], _LAGS)
            self._unread = 0

    def _note(self, alike: float, loss: float) -> None:
        self._unlike = 0 if alike >= _STILL_ALIKE else self._unlike + 1
        if self._unlike >= _FORGOTTEN:
            self.delay = None  # the caller has taken the receiver to the ear
        self._alike.append(alike)
        self._alike_softer.append(alike if loss >= _LEAST_LOSS_DB else 0.0)
