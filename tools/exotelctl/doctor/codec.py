"""Read facts from JSON that anybody may have made: every name and every type is checked."""

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Unfit(Exception):
    """JSON that is not what it should be; the text says where."""


def load(raw: bytes) -> object:
    """Return plain JSON. Raises Unfit, also for JSON that is nested too deep."""
    import msgspec  # which a release may lack; it can be looked at all the same

    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"not JSON: {error}") from None


def build(kind: type[T], value: object) -> T:
    """Return the dataclass ``kind`` from plain JSON. Raises Unfit, also for a name that ``kind`` does not have."""
    import msgspec

    try:
        built = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Unfit(str(error)) from None
    for name in _strange(value, built):
        raise Unfit(f"unknown {name!r}")
    return built


def _strange(given: Any, built: Any) -> Iterator[str]:
    """Yield the names in ``given`` that the dataclasses built from it do not have."""
    if dataclasses.is_dataclass(built):
        known = {field.name for field in dataclasses.fields(built)}
        yield from given.keys() - known
        for name in given.keys() & known:
            yield from _strange(given[name], getattr(built, name))
    elif isinstance(built, tuple | list):
        for item, one in zip(given, built, strict=True):
            yield from _strange(item, one)
