"""Tell a caller, once, that it is noisy around them."""

from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Clock

_GRASPED_S: Final = 1.5
"""Seconds of the sentence after which a caller who talks over it knows."""
_TIMES: Final = 2
"""Most times that it is said where it is talked over before that."""


class Noise:
    """Noise around the caller of one call, and what they were told of it."""

    def __init__(
        self, noisy: Callable[[], bool], clamour: Callable[[], bool], clock: Clock, sentence: str, say: Callable[[str], None]
    ) -> None:
        """``noisy`` and ``clamour``: see `Hearing`. ``say`` speaks ``sentence`` after whatever is being said."""
        self.noisy = noisy
        self._clamour = clamour
        self._clock = clock
        self._sentence = sentence
        self._say = say
        self._times = 0
        self._began: float | None = None
        """Time of the clock at which the sentence begins to be heard; None while it is not."""
        self.told = self.answered = False
        """True once the caller was told; and once they have said something that is answered."""

    @property
    def hinders(self) -> bool:
        """Return True if the caller is in a room of voices, and was not told."""
        return not self.told and self._clamour()

    @property
    def is_to_be_told(self) -> bool:
        """Return True if the caller, who has had an answer, is to hear of it before anything else is said."""
        return self.answered and self.hinders

    def tell(self) -> None:
        """Say that it is noisy."""
        self.told = True
        self._times += 1
        self._say(self._sentence)

    def says(self, text: str) -> None:
        """Note what the bot begins to say."""
        if self.told and self._began is None and self._sentence.startswith(text.strip()):
            self._began = self._clock.time()

    def heard(self) -> None:
        """Note that the bot was heard to its end."""
        self._began = None

    def dropped(self, at: float) -> None:
        """Note that nothing of what the bot says will be heard that was not heard before ``at``, in seconds of the clock."""
        began, self._began = self._began, None
        if began is not None and at - began < _GRASPED_S:
            self.told = self._times >= _TIMES
