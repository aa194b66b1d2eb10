"""Sets of IP addresses, exact to the single one, of both families at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

# Both families on one line of numbers. The gap keeps the last IPv4 address from being a neighbour of the first IPv6 one.
_V6_FROM = 1 << 33
_V6_END = _V6_FROM + (1 << 128)


@dataclass(frozen=True)
class Ranges:
    """Disjoint intervals (first, last), sorted, with gaps between them."""

    intervals: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, cidrs: Iterable[str]) -> Ranges:
        """The addresses in ``cidrs``, each an address or a network. Host bits are ignored, as Google does. Raises ValueError."""
        return _merged(_interval(cidr) for cidr in cidrs)

    def __or__(self, other: Ranges) -> Ranges:
        return _merged((*self.intervals, *other.intervals))

    def __and__(self, other: Ranges) -> Ranges:
        return self - (self - other)

    def __sub__(self, other: Ranges) -> Ranges:
        left = []
        holes = other.intervals
        at = 0
        for first, last in self.intervals:
            while at < len(holes) and holes[at][1] < first:
                at += 1
            inside = at
            while inside < len(holes) and holes[inside][0] <= last:
                if first < holes[inside][0]:
                    left.append((first, holes[inside][0] - 1))
                first = holes[inside][1] + 1
                inside += 1
            if first <= last:
                left.append((first, last))
        return Ranges(tuple(left))

    def __bool__(self) -> bool:
        return bool(self.intervals)

    @property
    def size(self) -> int:
        """Return the number of addresses."""
        return sum(last - first + 1 for first, last in self.intervals)

    def cidrs(self) -> list[str]:
        """The fewest networks that are exactly these addresses; a single address without its length."""
        networks = [network for first, last in self.intervals for network in _networks(first, last)]
        return [str(net.network_address if net.num_addresses == 1 else net) for net in networks]

    def words(self, most: int = 4) -> str:
        """``10.0.0.0/8 and 192.0.2.7``; of many only the first ``most``."""
        cidrs = self.cidrs()
        shown = cidrs if len(cidrs) <= most else [*cidrs[:most], f"{len(cidrs) - most} more ranges"]
        return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


V4 = Ranges(((0, (1 << 32) - 1),))
V6 = Ranges(((_V6_FROM, _V6_END - 1),))
EVERYWHERE = Ranges((*V4.intervals, *V6.intervals))


def family(address: str) -> Ranges:
    """All addresses of the family of ``address``. Raises ValueError."""
    return V4 if ipaddress.ip_address(address).version == 4 else V6


def _interval(cidr: str) -> tuple[int, int]:
    network = ipaddress.ip_network(cidr, strict=False)
    start = 0 if network.version == 4 else _V6_FROM
    return start + int(network.network_address), start + int(network.broadcast_address)


def _merged(intervals: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return Ranges(tuple(merged))


def _networks(first: int, last: int) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    if first < _V6_FROM:
        return ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    first, last = first - _V6_FROM, last - _V6_FROM
    return ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last))
