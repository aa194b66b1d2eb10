"""Bounded table of sources: addresses with what each has proven and may still use."""

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from exotel_ws.admission.bucket import Bucket
from exotel_ws.settings import SettingsError

_SCAN: Final = 64
"""Most entries searched for one to forget; a source with open connections is kept."""
_FORGIVEN_S: Final = 60.0
"""Seconds after which failures count half."""
_TOLERATED: Final = 20.0
"""Failures before a source is barred."""
_FORGOTTEN: Final = 0.5
"""Failures below which a source starts afresh."""
_FIRST_BAR_S: Final = 5.0
_LONGEST_BAR_S: Final = 60.0
"""Longest bar in seconds; short, because innocent callers may share the address, such as a telephone company's."""
_LONGEST_DELAY_S: Final = 5.0

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Source:
    """One address (IPv6: one /64 network) and its account. ``name`` is for people; a ``proxy`` is never bounded."""

    __slots__ = (
        "_failed_at",
        "_failures",
        "_proven_until",
        "barred_until",
        "bars",
        "buckets",
        "held",
        "name",
        "proxy",
        "websockets",
    )

    def __init__(self, name: str, *, proxy: bool = False) -> None:
        self.name = name
        self.proxy = proxy
        self.held = 0
        """Open connections."""
        self.websockets = 0
        """Open WebSockets."""
        self.buckets: dict[str, Bucket] = {}
        """Token buckets by the name of the bound."""
        self.bars = 0
        self.barred_until = float("-inf")
        self._failures = 0.0
        self._failed_at = float("-inf")
        self._proven_until = float("-inf")

    def bucket(self, name: str, rate: float, burst: float, now: float) -> Bucket:
        """Return this source's bucket of that name; make a full one at the first request."""
        found = self.buckets.get(name)
        if found is None:
            found = self.buckets[name] = Bucket(rate, burst, now)
        return found

    def proven(self, now: float) -> bool:
        """Return True while the source counts as one that makes calls."""
        return self.proxy or now < self._proven_until

    def prove(self, until: float) -> None:
        """Trust the source up to this time, and forget its failures."""
        self._proven_until = max(self._proven_until, until)
        self._failures, self.bars, self.barred_until = 0.0, 0, float("-inf")

    def failures(self, now: float) -> float:
        """Return the failures of the source; each counts half after a minute."""
        return 0.0 if not self._failures else self._failures * 0.5 ** ((now - self._failed_at) / _FORGIVEN_S)

    def fail(self, now: float, weight: float) -> None:
        """Count a failure. Many of them bar a source for seconds, each time for longer; a proven one is not barred."""
        if self.proven(now):
            return
        failures = self.failures(now)
        if failures < _FORGOTTEN:
            self.bars = 0
        self._failures, self._failed_at = failures + weight, now
        if self._failures >= _TOLERATED:
            self.barred_until = now + min(_LONGEST_BAR_S, _FIRST_BAR_S * 2**self.bars)
            self.bars = min(self.bars + 1, 10)
            self._failures = _TOLERATED / 2

    def delay_s(self, now: float) -> float:
        """Return the seconds to delay an answer to a wrong credential; they double with each failure above five."""
        failures = self.failures(now)
        return 0.0 if failures < 5 or self.proven(now) else min(_LONGEST_DELAY_S, 0.1 * 2 ** (failures - 5))


class Sources:
    """Sources seen lately, at most ``most``; ``proxies`` are addresses or networks in the settings' spelling."""

    def __init__(self, most: int, proxies: Sequence[str]) -> None:
        """Raises `SettingsError` if one of ``proxies`` is neither an address nor a network."""
        self._most = most
        self._proxies = networks(proxies, "limits.proxies")
        self._known: OrderedDict[str, Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, host: str, now: float) -> Source:
        """Return the source of a peer address; a new one if it was not seen lately."""
        proxy = self.is_proxy(host)
        # A proxy is believed when it names others: its neighbours in a /64 network are no part of it.
        name = source_name(host, whole=proxy)
        source = self._known.get(name)
        if source is None:
            source = self._known[name] = Source(name, proxy=proxy)
            if len(self._known) > self._most:
                self._forget_one(now)
        else:
            self._known.move_to_end(name)
        return source

    def is_proxy(self, host: str) -> bool:
        """Return True if the address is one of the proxies."""
        return inside(host, self._proxies)

    def _forget_one(self, now: float) -> None:
        oldest = [source for source, _ in zip(self._known.values(), range(_SCAN), strict=False)]
        unused = [source for source in oldest if not source.held]
        # If all are in use the table grows, but by no more than the connections, which are bounded elsewhere.
        for source in sorted(unused, key=lambda source: source.proven(now))[:1]:
            del self._known[source.name]


def source_name(host: str, *, whole: bool = False) -> str:
    """Return the source's name for an address: the address itself, for IPv6 its /64 network; other texts unchanged.

    With ``whole`` it is the address for IPv6 too.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address) if whole or address.is_loopback else str(ipaddress.ip_network((address, 64), strict=False))


def networks(texts: Sequence[str], setting: str) -> tuple[_Network, ...]:
    """Read addresses and networks. Raises `SettingsError` that names the setting and the text."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise SettingsError([f"{setting}: {text!r} is neither an address nor a network such as 10.0.0.0/8"]) from None
    return tuple(found)


def inside(host: str, among: Sequence[_Network]) -> bool:
    """Return True if the address is in one of the networks."""
    if not among:
        return False
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in among)
