"""What the caller does, turn by turn, in the order in which it was typed."""

import dataclasses
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from exotel_phone.exits import UsageFault

_KEYS: Final = frozenset(string.digits + "*#")
OPTIONS: Final = ("say", "wav", "dtmf")


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """One turn: ``say`` words, play the file ``wav``, or press the keys ``dtmf``. Exactly one is set."""

    say: str = ""
    wav: Path | None = None
    dtmf: str = ""

    @property
    def shown(self) -> str:
        """What is done, in few words."""
        if self.dtmf:
            return f"[{self.dtmf}]"
        return self.say or f"({self.wav})"


def turns(order: Sequence[str], say: Sequence[str], wav: Sequence[Path], dtmf: Sequence[str]) -> list[Turn]:
    """The turns in the order in which their options stand; ``order`` are the options' names as typed. Raises UsageFault."""
    given: Mapping[str, list[Turn]] = {
        "say": [Turn(say=_words(text)) for text in say],
        "wav": [Turn(wav=file) for file in wav],
        "dtmf": [Turn(dtmf=_keys(keys)) for keys in dtmf],
    }
    rest = {name: iter(each) for name, each in given.items()}
    return [next(rest[name]) for name in order if name in rest]


def _words(text: str) -> str:
    if not any(map(str.isalnum, text)):
        raise UsageFault(f"--say {text!r}: there is no word in it")
    return text


def _keys(keys: str) -> str:
    if not keys or not set(keys) <= _KEYS:
        raise UsageFault(f"--dtmf {keys!r}: a telephone has the keys 0-9, * and #")
    return keys
