"""Evaluate the text of ``iptables-save``: conditions that hosts' firewalls commonly use; any other is unclear."""

import shlex
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from exotelctl.doctor.firewall.packet import Match, Outcome, Packet, Walk, both, comes_by, has_flags, senders, worst, yes

_IN: Final = ("PREROUTING", "INPUT")
_OUT: Final = ("OUTPUT", "POSTROUTING")
_FILTERS: Final = ("raw", "mangle", "filter", "security")
_REWRITING: Final = "nat"
_QUIET: Final = frozenset({"", "LOG", "NFLOG", "MARK", "CONNMARK", "CT", "TRACE", "AUDIT", "TCPMSS", "DSCP", "TOS", "NOTRACK"})
_NO_CONDITION: Final = frozenset({"-m", "--comment", "--limit-burst", "--log-prefix", "--log-level", "--reject-with", "--limit"})
_TO: Final = ("--to-ports", "--to-destination")
_FLAGS: Final = ("fin", "syn", "rst", "psh", "ack", "urg")


def judge(saved: str, packet: Packet) -> Outcome:
    """Return what the chains of all tables do with ``packet``."""
    return worst(table.judge(hook, packet) for table in _tables(saved) for hook in table.hooks(packet) if hook in table.policies)


class _Table:
    """A table's chains: their policies (``-`` for one that is only jumped to) and their rules."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.policies: dict[str, str] = {}
        self.rules: dict[str, list[str]] = defaultdict(list)

    def hooks(self, packet: Packet) -> tuple[str, ...]:
        """Return the chains that the kernel enters for it and that can keep it from where it should go."""
        if self._name == _REWRITING:
            return () if packet.answer else _IN[:1]
        return _OUT if packet.answer else _IN

    def judge(self, hook: str, packet: Packet) -> Outcome:
        walk = _ChainWalk(self, packet)
        policy = self.policies[hook]
        return walk.through(hook, Match.YES, 0) or walk.end(policy != "DROP", f"policy {policy}", f"chain {hook}")


def _tables(saved: str) -> Iterator[_Table]:
    table: _Table | None = None
    for line in saved.splitlines():
        if line.startswith("*"):
            name = line[1:].strip()
            table = _Table(name) if name in (*_FILTERS, _REWRITING) else None
        elif table is not None and line.startswith(":"):
            name, policy = line[1:].split()[:2]
            table.policies[name] = policy
        elif table is not None and line.startswith("-A "):
            table.rules[line.split()[1]].append(line)
        elif table is not None and line.strip() == "COMMIT":
            yield table


class _ChainWalk(Walk[str]):
    """The way of the packet through a chain and those that it jumps to."""

    def __init__(self, table: _Table, packet: Packet) -> None:
        super().__init__(table.rules, packet)
        self._table = table

    def through(self, chain: str, entered: Match, depth: int) -> Outcome | None:
        """Through ``chain``, entered on a condition. None: it came out again."""
        for rule in self.along(chain, depth):
            options = list(_options(rule))
            match = entered
            for name, values, negated in options:
                match = both(match, self._holds(name, values, negated))
            if match is Match.NO:
                continue
            how, target = next(((name, values[0]) for name, values, _ in options if name in ("-j", "-g") and values), ("", ""))
            if target in ("DNAT", "REDIRECT"):
                target = "ACCEPT" if target == "REDIRECT" and self._keeps_port(options) else "DROP"
            outcome, leaves = self._carry_out(target, match, rule, f"chain {chain}", depth)
            if outcome or leaves or (how == "-g" and match is Match.YES):
                return outcome
        return None

    def _carry_out(self, target: str, match: Match, rule: str, where: str, depth: int) -> tuple[Outcome | None, bool]:
        """Return the outcome if this is the end, and True if the chain is left."""
        if target in _QUIET:
            return None, False
        if target in ("ACCEPT", "DROP", "REJECT"):
            return self.decide(match, target == "ACCEPT", rule, where), False
        if target in self._table.policies:
            return self.through(target, match, depth + 1), False
        if target == "RETURN" and match is not Match.UNCLEAR:
            return None, match is Match.YES
        self.doubt(match, rule, where)
        return None, False

    def _keeps_port(self, options: list[tuple[str, list[str], bool]]) -> bool:
        return all(values == [str(self._packet.port)] for name, values, _ in options if name in _TO)

    def _holds(self, name: str, values: list[str], negated: bool) -> Match:
        if name in _NO_CONDITION or name in (*_TO, "-j", "-g"):
            return Match.YES
        holds = self._condition(name, values)
        return holds.negated if negated else holds

    def _condition(self, name: str, values: list[str]) -> Match:
        listed = [part for value in values for part in value.split(",")]
        match name:
            case "-p":
                return yes(values[0] in ("tcp", "6", "all"))
            case "--dport" | "--dports" | "--sport" | "--sports":
                ours = name.startswith("--s") == self._packet.answer
                return yes(any(self._in_range(part) for part in listed)) if ours else _callers_port(listed)
            case "-i" | "-o":
                there = (name == "-o") == self._packet.answer
                return comes_by([value.replace("+", "*") for value in values], self._packet.interfaces) if there else Match.NO
            case "-s" | "-d" if (name == "-d") == self._packet.answer:
                return senders(listed)
            case "--match-set":
                return Match.SOME if values[-1].startswith("src") else Match.UNCLEAR
            case "--state" | "--ctstate":
                return yes(self._packet.state.upper() in listed)
            case "--syn":
                return yes(not self._packet.answer)
            case "--tcp-flags":
                mask, wanted = (_flags(value) for value in values)
                return has_flags(mask, wanted, self._packet)
            case "--dst-type" if not self._packet.answer:
                return yes("LOCAL" in listed)
        return Match.UNCLEAR

    def _in_range(self, text: str) -> bool:
        low, colon, high = text.partition(":")
        return int(low or 0) <= self._packet.port <= int((high or 65535) if colon else low)


def _callers_port(ranges: list[str]) -> Match:
    """Match the caller's port, which is any that a client gets."""
    return Match.NO if all(int(text.rpartition(":")[2] or 65535) < 1024 for text in ranges) else Match.UNCLEAR


def _options(rule: str) -> Iterator[tuple[str, list[str], bool]]:
    """Return the options of a rule behind ``-A CHAIN``: name, values, whether a ``!`` stands before it."""
    words = shlex.split(rule)[2:]
    negated = False
    while words:
        name = words.pop(0)
        if name == "!":
            negated = True
            continue
        values = []
        while words and words[0] != "!" and not words[0].startswith("-"):
            values.append(words.pop(0))
        yield name, values, negated
        negated = False


def _flags(text: str) -> list[str]:
    """``SYN,ACK``, ``ALL`` or ``NONE`` as a list."""
    if text == "ALL":
        return list(_FLAGS)
    return [] if text == "NONE" else text.lower().split(",")
