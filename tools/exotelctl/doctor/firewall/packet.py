"""Define the packet, the conditions that both kinds of rules have in common, and the outcomes."""

import dataclasses
import ipaddress
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum
from typing import Final, Generic, Literal, NamedTuple, TypeVar

Verdict = Literal["pass", "drop", "depends"]

R = TypeVar("R")

_MOST_RULES: Final = 50_000
_DEEPEST: Final = 16


class Match(IntEnum):
    """Result of a condition for the packet: the least of a rule's conditions holds for all of them together."""

    NO = 0
    UNCLEAR = 1
    """This program does not know the condition."""
    SOME = 2
    """For some senders: a set of addresses, which may hold Exotel's."""
    YES = 3

    @property
    def negated(self) -> "Match":
        """Return the opposite condition. Not being among named senders holds for one that no rule names."""
        return {Match.YES: Match.NO, Match.NO: Match.YES, Match.SOME: Match.YES}.get(self, self)


def yes(holds: bool) -> Match:
    """Return the match of a condition that is known."""
    return Match.YES if holds else Match.NO


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

    def has_port(self, ranges: Collection[tuple[int, int] | None], *, source: bool) -> Match:
        """Match a rule about the port on one side; None is a value that is not understood. A caller's is any above 1023."""
        if source != self.answer:
            return Match.NO if all(each and each[1] < 1024 for each in ranges) else Match.UNCLEAR
        return max((yes(each[0] <= self.port <= each[1]) if each else Match.UNCLEAR for each in ranges), default=Match.NO)

    def goes_by(self, patterns: Collection[str], *, out: bool) -> Match:
        """Match a rule for packets that come in, or go ``out``, by an interface; a pattern may end in ``*``."""
        if out != self.answer:
            return Match.NO
        if any(_named(pattern, interface) for pattern in patterns for interface in self.interfaces):
            return Match.YES
        return Match.NO if self.interfaces or all(pattern == "lo" for pattern in patterns) else Match.UNCLEAR

    def is_of(self, networks: Collection[str], *, destination: bool) -> Match:
        """Match a rule about the address on one side, of which only the caller's is known.

        Loopback is never a caller's; 0.0.0.0/0 is everybody; a name may be anybody.
        """
        if destination != self.answer:
            return Match.UNCLEAR
        found = [network for text in networks if (network := _network(text))]
        if any(network.prefixlen == 0 for network in found):
            return Match.YES
        loopback = all(network.is_loopback for network in found)
        return Match.NO if networks and len(found) == len(networks) and loopback else Match.SOME

    def has_flags(self, mask: Collection[str], wanted: Collection[str]) -> Match:
        """Match a rule about TCP flags: those of ``mask`` that are set are just ``wanted``."""
        return yes(self.flags & set(mask) == set(wanted))


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


def _named(pattern: str, interface: str) -> bool:
    return interface.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == interface


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
    first = {outcome.verdict: outcome for outcome in reversed(list(outcomes))}
    return first.get("drop") or first.get("depends") or PASS


class Step(NamedTuple):
    """Action of a rule whose conditions ``match``: accept, drop, return, or jump or goto ``to`` a chain; else not understood."""

    match: Match
    does: str
    to: str = ""


class Table(ABC, Generic[R]):
    """Chains of one table, in the words of one kind of rules; ``entered`` are those that the kernel enters for the packet."""

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.rules: dict[str, list[R]] = defaultdict(list)
        self.policies: dict[str, str] = {}
        self.entered: list[str] = []

    @abstractmethod
    def steps(self, rule: R) -> Iterable[Step]:
        """Return what ``rule`` does with the packet, without what only counts or logs it."""

    @abstractmethod
    def shown(self, rule: R) -> str:
        """Return ``rule`` about as its own program writes it."""

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what each chain that the kernel enters does with the packet."""
        for chain in self.entered:
            yield _Walk(self).outcome(chain)


class _Walk(Generic[R]):
    """The packet's way through a chain and those that it jumps to: what may have been decided before the end.

    A rule that lets some senders in makes a later drop depend on the sender; one that nobody here understands makes an end
    that it contradicts unclear.
    """

    def __init__(self, table: Table[R]) -> None:
        self._table = table
        self._rules_seen = 0
        self._let_in: Outcome | None = None
        self._unclear: dict[bool, Outcome] = {}

    def outcome(self, chain: str) -> Outcome:
        """Return what ``chain`` does with the packet, by its policy where no rule decides."""
        policy = self._table.policies[chain]
        return self._through(chain, Match.YES, 0) or self._end(policy.lower() != "drop", f"policy {policy}", f"chain {chain}")

    def _through(self, chain: str, entered: Match, depth: int) -> Outcome | None:
        """Go through ``chain``, entered on a condition. None: the packet came out again.

        Chains that jump in circles make more rules than any firewall has: that ends, with a doubt.
        """
        where = f"chain {chain}"
        for rule in self._table.rules.get(chain, ()) if depth < _DEEPEST else ():
            self._rules_seen += 1
            if self._rules_seen > _MOST_RULES:
                self._doubt(f"more than {_MOST_RULES} rules on the way", where)
                return None
            for step in self._table.steps(rule):
                match = min(entered, step.match)
                if match is Match.NO:
                    continue
                outcome, leaves = None, match is Match.YES and step.does in ("goto", "return")
                if step.does in ("accept", "drop"):
                    outcome = self._decide(match, step.does == "accept", self._table.shown(rule), where)
                elif step.does in ("jump", "goto"):
                    outcome = self._through(step.to, match, depth + 1)
                elif step.does != "return" or match is Match.UNCLEAR:
                    self._doubt(self._table.shown(rule), where)
                if outcome or leaves:
                    return outcome
        return None

    def _decide(self, match: Match, accepts: bool, rule: str, where: str) -> Outcome | None:
        """Take a rule with a final verdict. None: the packet goes on to the next rule."""
        if match is Match.YES:
            return self._end(accepts, rule, where)
        if match is Match.UNCLEAR:
            self._unclear.setdefault(accepts, Outcome("depends", rule, where, "this rule can't be judged from here"))
        if match is Match.SOME and accepts and self._let_in is None:
            self._let_in = Outcome("depends", rule, where, "it lets some senders in, and Exotel's may be among them")
        return None

    def _doubt(self, rule: str, where: str) -> None:
        """Take a rule whose verdict is not understood, or that leaves the chain on an unclear condition."""
        self._decide(Match.UNCLEAR, True, rule, where)
        self._decide(Match.UNCLEAR, False, rule, where)

    def _end(self, accepts: bool, rule: str, where: str) -> Outcome:
        """Return the outcome of this filter."""
        if (not accepts) in self._unclear:
            return self._unclear[not accepts]
        if accepts:
            return PASS
        return self._let_in or Outcome("drop", rule, where)
