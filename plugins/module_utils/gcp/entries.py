"""Protocols and ports that a firewall rule allows or denies, in one normal form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .faults import Fault

_NAMES = {"1": "icmp", "6": "tcp", "17": "udp", "50": "esp", "51": "ah", "132": "sctp"}
_KNOWN = frozenset({*_NAMES.values(), "ipip", "all"})
_WITH_PORTS = frozenset({"tcp", "udp", "sctp"})
_LAST_PORT = 65535
_PORTS = re.compile(r"\s*([0-9]{1,5})\s*(?:-\s*([0-9]{1,5})\s*)?")

_Interval = tuple[int, int]


def normal_entries(option: str, entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return `entries` (``protocol`` and ``ports``) one a protocol, in order, their ports as few sorted ranges.

    No ports means all of them. Raises Fault, which names `option`, for ports that cannot be.
    """
    found: dict[str, list[_Interval]] = {}
    for entry in entries:
        protocol = _protocol(entry["protocol"])
        ports = [_interval(option, str(port)) for port in entry.get("ports") or ()]
        if ports and protocol not in _WITH_PORTS:
            raise _invalid(option, f"protocol {protocol} has no ports; only {', '.join(sorted(_WITH_PORTS))} have")
        found.setdefault(protocol, []).extend(ports or [(0, _LAST_PORT)])
    return [{"protocol": protocol, "ports": _texts(found[protocol])} for protocol in sorted(found)]


def check_protocols(option: str, entries: Iterable[Mapping[str, Any]]) -> None:
    """Raise Fault, which names `option`, unless every protocol in `entries` is one that a rule can be made for."""
    for entry in entries:
        protocol = _protocol(entry["protocol"])
        if protocol not in _KNOWN and not (_is_number(protocol) and int(protocol) <= 255):
            known = ", ".join(sorted(_KNOWN))
            raise _invalid(option, f"{entry['protocol']!r} is no protocol; it is one of {known}, or a number to 255")


def _protocol(said: str) -> str:
    text = said.strip().lower()
    number = str(int(text)) if _is_number(text) else text
    return _NAMES.get(number, number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _interval(option: str, said: str) -> _Interval:
    found = _PORTS.fullmatch(said)
    if not found:
        raise _invalid(option, f"{said!r} is neither a port nor a range of ports such as 8000-8100")
    first, last = int(found.group(1)), int(found.group(2) or found.group(1))
    if last > _LAST_PORT:
        raise _invalid(option, f"port {last} is above {_LAST_PORT}")
    if first > last:
        raise _invalid(option, f"range {said} ends before it begins; {last}-{first} is probably meant")
    return first, last


def _texts(intervals: Iterable[_Interval]) -> list[str]:
    merged: list[_Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    if merged == [(0, _LAST_PORT)]:
        return []
    return [str(first) if first == last else f"{first}-{last}" for first, last in merged]


def _invalid(option: str, message: str) -> Fault:
    return Fault(f"{option}: {message}", reason="invalid")
