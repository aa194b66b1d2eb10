"""Facts as JSON, and back. What is read may have been made by anybody: every name and every type is checked on the way in."""

import dataclasses
import json
import math
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")

_SCALARS = (str, int, bool)


class Unfit(Exception):
    """The JSON is not what it should be; the text says where."""


def encode(value: object) -> bytes:
    """Return a dataclass as JSON."""
    return json.dumps(dataclasses.asdict(value), ensure_ascii=False).encode(errors="replace")  # type: ignore[call-overload]


def decode(kind: type[T], raw: bytes) -> T:
    """Return the dataclass ``kind`` from JSON. Raises Unfit."""
    return _build(kind, load(raw), "", {})  # type: ignore[no-any-return]


def load(raw: bytes) -> object:
    """Plain JSON. Raises Unfit; also for JSON that is nested too deep."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"not JSON: {error}") from None


def _build(kind: Any, value: object, where: str, bound: dict[Any, Any]) -> Any:
    """``value`` as ``kind``; ``bound`` are the types that a generic's parameters stand for."""
    kind = bound.get(kind, kind)
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        rest = [one for one in arguments if one is not types.NoneType]
        return None if value is None and len(rest) < len(arguments) else _build(rest[0], value, where, bound)
    if dataclasses.is_dataclass(origin):
        return _build_dataclass(origin, arguments, value, where)
    if origin in (tuple, list):
        items = _require(list, value, where)
        return origin(_build(arguments[0], item, f"{where}[{index}]", bound) for index, item in enumerate(items))
    if origin is dict:
        return _require(dict, value, where)
    if kind is float:
        number = float(_require(float if isinstance(value, float) else int, value, where))
        if not math.isfinite(number):
            raise Unfit(f"{where}: not a finite number")
        return number
    assert kind in _SCALARS, f"{where}: facts hold no {kind}"
    return _require(kind, value, where)


def _build_dataclass(kind: Any, arguments: tuple[Any, ...], value: object, where: str) -> Any:
    table = _require(dict, value, where)
    hints, bound = typing.get_type_hints(kind), dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=False))
    strange = table.keys() - hints.keys()
    if strange:
        raise Unfit(f"{where or 'facts'}: unknown {min(strange)!r}")
    try:
        return kind(**{name: _build(hints[name], item, f"{where}.{name}", bound) for name, item in table.items()})
    except TypeError as error:
        raise Unfit(f"{where or 'facts'}: {error}") from None


def _require(kind: type[T], value: object, where: str) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Unfit(f"{where or 'facts'}: {type(value).__name__} where {kind.__name__} belongs")
    return value
