"""One way to read some speech."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """Text of some speech, with its likelihood and that of its first token, as natural logarithms."""

    text: str
    likelihood: float
    first: float
