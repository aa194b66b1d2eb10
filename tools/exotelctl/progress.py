"""The steps of a longer action: each is told when it begins, and kept with its time for the JSON report."""

import contextlib
import time

from exotel_phone.output import say


class Progress:
    """Tells steps as they begin, with the seconds since the first one did; ``quiet`` only keeps them.

    A terminal that is gone does not stop the action.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._began: float | None = None
        self.steps: list[dict[str, object]] = []

    @property
    def seconds(self) -> float:
        """Return the seconds since the first step began, 0 before that."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def doing(self) -> str:
        """Return the step that was begun last, "" before the first."""
        return str(self.steps[-1]["step"]) if self.steps else ""

    def begin(self, step: object) -> None:
        """Begin ``step``."""
        if self._began is None:
            self._began = time.monotonic()
        self.steps.append({"step": str(step), "at_s": round(self.seconds, 3)})
        self.note(str(step))

    def note(self, text: str) -> None:
        """Tell something about the step that is under way."""
        self.tell(f"{self.seconds:6.1f} s  {text}")

    def tell(self, text: str) -> None:
        """Tell something about the whole action."""
        if not self._quiet:
            with contextlib.suppress(OSError):
                say(text)
