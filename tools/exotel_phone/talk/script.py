"""Parse the caller's turns as they are typed: words to say, ``dtmf:KEYS`` to press, ``file:WAV`` to play."""

import dataclasses
import string
from pathlib import Path
from typing import Final

from exotel_phone.exits import UsageFault

_KEYS: Final = frozenset(string.digits + "*#")


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """One turn: ``say`` words, play the file ``wav``, or press the keys ``dtmf``. Exactly one is set."""

    say: str = ""
    wav: Path | None = None
    dtmf: str = ""

    @property
    def shown(self) -> str:
        """Return the turn in a few words."""
        if self.dtmf:
            return f"[{self.dtmf}]"
        return self.say or f"({self.wav})"


def turn(typed: str) -> Turn:
    """Return the turn that ``typed`` stands for. Raises UsageFault if there is nothing to say, play or press."""
    kind, colon, rest = typed.partition(":")
    match kind, colon:
        case "dtmf", ":":
            if not rest or not set(rest) <= _KEYS:
                raise UsageFault(f"{typed!r}: a telephone has the keys 0-9, * and #, for example dtmf:12#")
            return Turn(dtmf=rest)
        case "file", ":":
            return Turn(wav=Path(rest))
        case _:
            if not any(map(str.isalnum, typed)):
                raise UsageFault(f"{typed!r}: there is no word in it")
            return Turn(say=typed)
