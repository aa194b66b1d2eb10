"""The phases of a call and the transitions between them."""

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final


class Phase(Enum):
    """Phase of a call. Exactly one holds at any time."""

    GREETING = "greeting"
    """The greeting plays to its end; speech is noted, and answered after it. Skipped if callers may interrupt the greeting."""
    OPEN = "open"
    """The bot speaks or listens, and nothing holds it back."""
    HELD = "held"
    """The caller speaks or presses keys; the bot is paused until it is known what was meant."""
    MACHINE = "machine"
    """A machine has answered a call that the bot placed, and does not record yet; nothing it says is answered."""
    PARTING = "parting"
    """The last sentence plays; the caller can no longer stop it."""
    OVER = "over"
    """The stream has ended."""


TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.GREETING: frozenset({Phase.OPEN, Phase.HELD, Phase.MACHINE, Phase.PARTING, Phase.OVER}),
    Phase.OPEN: frozenset({Phase.HELD, Phase.MACHINE, Phase.PARTING, Phase.OVER}),
    # HELD again: more speech, or another key
    Phase.HELD: frozenset({Phase.HELD, Phase.OPEN, Phase.MACHINE, Phase.PARTING, Phase.OVER}),
    Phase.MACHINE: frozenset({Phase.PARTING, Phase.OVER}),
    Phase.PARTING: frozenset({Phase.PARTING, Phase.OVER}),  # PARTING again: an apology replaces a goodbye
    Phase.OVER: frozenset(),
}
"""Phases that may follow each phase."""


class IllegalTransition(Exception):
    """A transition that `TRANSITIONS` does not have."""

    def __init__(self, before: Phase, after: Phase) -> None:
        super().__init__(f"from {before.value} to {after.value}")


class Phases:
    """Hold the current phase of one call.

    An illegal transition is a mistake of ours, which a call has to survive: it is refused and reported. In tests it is an error.
    """

    def __init__(self, first: Phase, on_illegal: Callable[[IllegalTransition], None]) -> None:
        """Call ``on_illegal`` with each transition that is refused."""
        self.now = first
        self.greeted = asyncio.Event()
        """Set once the phase is no longer `Phase.GREETING`."""
        self._on_illegal = on_illegal
        if first is not Phase.GREETING:
            self.greeted.set()

    def enter(self, phase: Phase) -> None:
        """Change to ``phase``; refuse and report a transition that `TRANSITIONS` does not have."""
        if phase in TRANSITIONS[self.now]:
            self.now = phase
            self.greeted.set()
        else:
            self._refuse(IllegalTransition(self.now, phase))

    def leave(self, phase: Phase) -> None:
        """Change from ``phase`` to `Phase.OPEN`; do nothing in any other phase."""
        if self.now is phase:
            self.enter(Phase.OPEN)

    def _refuse(self, error: IllegalTransition) -> None:
        self._on_illegal(error)
