"""Count of places held by each owner, to find the owner who holds most."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

Owner = TypeVar("Owner")
Place = TypeVar("Place")


class Crowd(Generic[Owner, Place]):
    """Places and their owners. Every operation takes constant time, however many there are."""

    def __init__(self) -> None:
        self._owner_of: dict[Place, Owner] = {}
        self._places: dict[Owner, OrderedDict[Place, None]] = {}
        self._by_count: dict[int, dict[Owner, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        return len(self._owner_of)

    def __contains__(self, place: Place) -> bool:
        return place in self._owner_of

    def __iter__(self) -> Iterator[Place]:
        return iter(tuple(self._owner_of))

    def add(self, owner: Owner, place: Place) -> None:
        """Give ``place``, which nobody holds, to ``owner``."""
        held = self._places.setdefault(owner, OrderedDict())
        self._move(owner, len(held), len(held) + 1)
        held[place] = None
        self._owner_of[place] = owner

    def remove(self, place: Place) -> None:
        """Take a place back; nothing happens if nobody holds it."""
        if place not in self._owner_of:
            return
        owner = self._owner_of.pop(place)
        held = self._places[owner]
        del held[place]
        self._move(owner, len(held) + 1, len(held))
        if not held:
            del self._places[owner]

    def count(self, owner: Owner) -> int:
        """Return the number of places that ``owner`` holds."""
        return len(self._places.get(owner, ()))

    def largest(self) -> Owner | None:
        """Return the owner of most places; None if nobody holds any."""
        return next(iter(self._by_count[self._most])) if self._most else None

    def oldest(self, owner: Owner) -> Place:
        """Return the place that ``owner``, who has one, has held longest."""
        return next(iter(self._places[owner]))

    def _move(self, owner: Owner, before: int, after: int) -> None:
        if before:
            bucket = self._by_count[before]
            del bucket[owner]
            if not bucket:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, {})[owner] = None
        if after > self._most or (before == self._most and before not in self._by_count):
            self._most = after
