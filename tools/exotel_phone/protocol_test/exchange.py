"""Hold one step of the conversation, its answers, and the verdict on them."""

import dataclasses
from collections.abc import Callable
from typing import Literal

Outcome = Literal["pass", "fail", "not-run"]


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """Messages received in answer to a step, in order; how the server closed, "" where it did not; the wait in s.

    ``span_s`` is how long after the first of them the last one came.
    """

    received: tuple[str | bytes, ...] = ()
    closed: str = ""
    patience_s: float = 2.0
    span_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Reason for a failed check. ``problem`` is a stable name, ``cause`` one sentence that says what to change."""

    problem: str
    cause: str


class Broken(Exception):
    """Raised for an answer that breaks a rule; ``finding`` says which."""

    def __init__(self, problem: str, cause: str) -> None:
        super().__init__(cause)
        self.finding = Finding(problem, cause)


Judge = Callable[[Exchange], None]
"""Function that raises `Broken` if the answers of a step are wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Messages to send and how their answers are judged.

    ``answers`` is how many messages to wait for, ``quiet_s`` how long to listen afterwards for one too many. What comes
    within ``grace_s`` was sent before the server could know, and is not judged. ``proves`` says in a few words what
    passing means.
    """

    name: str
    proves: str
    sends: tuple[str, ...]
    judge: Judge
    answers: int = 0
    quiet_s: float = 0.05
    grace_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check at one sample rate (Hz)."""

    name: str
    rate: int
    outcome: Outcome
    proves: str
    finding: Finding | None = None
    ms: float = 0.0
