"""Define the packet, the conditions that both kinds of rules have in common, and the outcomes."""

import dataclasses
import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

Verdict = Literal["pass", "drop", "depends"]

R = TypeVar("R")

_MOST_RULES: Final = 50_000
_DEEPEST: Final = 16


class Match(Enum):
    """Result of a rule's condition for the packet."""

    YES = 1
    NO = 2
    SOME = 3
    """For some senders: a set of addresses, which may hold Exotel's."""
    UNCLEAR = 4
    """This program does not know the condition."""

    @property
    def negated(self) -> "Match":
        """Return the opposite condition. Not being among named senders holds for one that no rule names."""
        return {Match.YES: Match.NO, Match.NO: Match.YES, Match.SOME: Match.YES}.get(self, self)


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a call, or the ``answer`` to it: ``port`` is the server's, ``interfaces`` those to the outside.

    No interface: they are not known. The caller's own port is one above 1023.
    """

    port: int
    interfaces: tuple[str, ...] = ()
    answer: bool = False

    @property
    def flags(self) -> frozenset[str]:
        """Return the TCP flags that are set."""
        return frozenset({"syn", "ack"} if self.answer else {"syn"})

    @property
    def state(self) -> str:
        """Return its state in connection tracking."""
        return "established" if self.answer else "new"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """``rule`` is the rule, or the chain's policy, that decides; ``where`` its chain. ``depends``: on what ``why`` says."""

    verdict: Verdict
    rule: str = ""
    where: str = ""
    why: str = ""


PASS = Outcome("pass")


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return what several filters, each of which may drop the packet, do with it together."""
    found = list(outcomes)
    for verdict in ("drop", "depends"):
        for outcome in found:
            if outcome.verdict == verdict:
                return outcome
    return PASS


def yes(holds: bool) -> Match:
    """Return the match of a condition that is known."""
    return Match.YES if holds else Match.NO


def both(left: Match, right: Match) -> Match:
    """Return the match of two conditions of one rule."""
    for less in (Match.NO, Match.UNCLEAR, Match.SOME):
        if less in (left, right):
            return less
    return Match.YES


def senders(networks: Collection[str]) -> Match:
    """Match a rule for these senders. Loopback is never one from outside; 0.0.0.0/0 is everybody; a name may be anybody."""
    found = [network for text in networks if (network := _network(text))]
    if any(network.prefixlen == 0 for network in found):
        return Match.YES
    return Match.NO if networks and len(found) == len(networks) and all(map(_is_loopback, found)) else Match.SOME


def comes_by(patterns: Collection[str], interfaces: Collection[str]) -> Match:
    """Match a rule for packets that come in, or go out, by an interface; a pattern may end in ``*``."""
    if any(_named(pattern, interface) for pattern in patterns for interface in interfaces):
        return Match.YES
    return Match.NO if interfaces or all(pattern == "lo" for pattern in patterns) else Match.UNCLEAR


def has_flags(mask: Collection[str], wanted: Collection[str], packet: Packet) -> Match:
    """Match a rule about TCP flags: those of ``mask`` that are set are just ``wanted``."""
    return yes(packet.flags & set(mask) == set(wanted))


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


def _is_loopback(network: ipaddress.IPv4Network) -> bool:
    return network.is_loopback


def _named(pattern: str, interface: str) -> bool:
    return interface.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == interface


class Walk(Generic[R]):
    """The packet's way through the ``rules`` of one filter, by chain: what may have been decided before the end.

    A rule that lets some senders in makes a later drop depend on the sender; one that nobody here understands makes an end
    that it contradicts unclear.
    """

    def __init__(self, rules: Mapping[str, Sequence[R]], packet: Packet) -> None:
        self._rules = rules
        self._packet = packet
        self._rules_seen = 0
        self._let_in: Outcome | None = None
        self._unclear: dict[bool, Outcome] = {}

    def along(self, chain: str, depth: int) -> Iterator[R]:
        """Yield the rules of ``chain``. End, with a doubt, if chains that jump in circles make more than any firewall has."""
        for rule in self._rules.get(chain, ()) if depth < _DEEPEST else ():
            self._rules_seen += 1
            if self._rules_seen > _MOST_RULES:
                self.doubt(Match.UNCLEAR, f"more than {_MOST_RULES} rules on the way", f"chain {chain}")
                return
            yield rule

    def decide(self, match: Match, accepts: bool, rule: str, where: str) -> Outcome | None:
        """Take a rule with a final verdict. None: the packet goes on to the next rule."""
        if match is Match.YES:
            return self.end(accepts, rule, where)
        if match is Match.UNCLEAR:
            self._unclear.setdefault(accepts, Outcome("depends", rule, where, "this rule can't be judged from here"))
        if match is Match.SOME and accepts and self._let_in is None:
            self._let_in = Outcome("depends", rule, where, "it lets some senders in, and Exotel's may be among them")
        return None

    def doubt(self, match: Match, rule: str, where: str) -> None:
        """Take a rule whose verdict is not understood, or that leaves the chain on an unclear condition."""
        if match is not Match.NO:
            self.decide(Match.UNCLEAR, True, rule, where)
            self.decide(Match.UNCLEAR, False, rule, where)

    def end(self, accepts: bool, rule: str, where: str) -> Outcome:
        """Return the outcome of this filter."""
        if (not accepts) in self._unclear:
            return self._unclear[not accepts]
        if accepts:
            return PASS
        return self._let_in or Outcome("drop", rule, where)
