"""A fact, or the reason why there is none. Everything here can be written as JSON and read again on another machine."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class NotSeen(Exception):
    """Fact that could not be gathered; the text says why, ``needs`` what would help (``root``, ``nft``), "" for nothing known."""

    def __init__(self, why: str, needs: str = "") -> None:
        super().__init__(why)
        self.needs = needs


@dataclass(frozen=True)
class Fact(Generic[T]):
    """Hold what was seen, or why nothing was. ``at`` is in Unix seconds, ``ms`` the time that it took to look."""

    value: T | None = None
    missing: str = ""
    needs: str = ""
    at: float = 0.0
    ms: float = 0.0

    def get(self) -> T:
        """Return what was seen. Raises NotSeen, so that no check can take a look that failed for a good sign."""
        if self.value is None:
            raise NotSeen(self.missing or "it was not looked at", self.needs)
        return self.value
