"""Evaluate the text of ``iptables-save``: conditions that hosts' firewalls commonly use; any other is unclear."""

import shlex
from collections.abc import Iterator
from typing import Final

from exotelctl.doctor.firewall.packet import Match, Outcome, Packet, Step, Table, worst, yes

_IN: Final = ("PREROUTING", "INPUT")
_OUT: Final = ("OUTPUT", "POSTROUTING")
_FILTERS: Final = ("raw", "mangle", "filter", "security")
_REWRITING: Final = "nat"
_VERDICTS: Final = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return"}
_QUIET: Final = frozenset({"", "LOG", "NFLOG", "MARK", "CONNMARK", "CT", "TRACE", "AUDIT", "TCPMSS", "DSCP", "TOS", "NOTRACK"})
_NO_CONDITION: Final = frozenset({"-m", "--comment", "--limit-burst", "--log-prefix", "--log-level", "--reject-with", "--limit"})
_TO: Final = ("--to-ports", "--to-destination")
_FLAGS: Final = ("fin", "syn", "rst", "psh", "ack", "urg")


def judge(saved: str, packet: Packet) -> Outcome:
    """Return what the chains of all tables do with ``packet``."""
    return worst(outcome for table in _tables(saved, packet) for outcome in table.outcomes())


def _tables(saved: str, packet: Packet) -> Iterator["_Table"]:
    table: _Table | None = None
    hooks: tuple[str, ...] = ()
    for line in saved.splitlines():
        if line.startswith("*"):
            name = line[1:].strip()
            table = _Table(packet) if name in (*_FILTERS, _REWRITING) else None
            hooks = _hooks(name, packet)
        elif table is not None and line.startswith(":"):
            name, policy = line[1:].split()[:2]
            table.policies[name] = policy
            table.entered += [name] if name in hooks else []
        elif table is not None and line.startswith("-A "):
            table.rules[line.split()[1]].append(line)
        elif table is not None and line.strip() == "COMMIT":
            yield table


def _hooks(table: str, packet: Packet) -> tuple[str, ...]:
    """Return the chains that the kernel enters for the packet and that can keep it from where it should go."""
    if table == _REWRITING:
        return () if packet.answer else _IN[:1]
    return _OUT if packet.answer else _IN


class _Table(Table[str]):
    """A table's chains; the policy of one that is only jumped to is ``-``."""

    def shown(self, rule: str) -> str:
        return rule

    def steps(self, rule: str) -> Iterator[Step]:
        options = list(_options(rule))
        match = min((self._holds(*option) for option in options), default=Match.YES)
        how, target = next(((name, values[0]) for name, values, _ in options if name in ("-j", "-g") and values), ("", ""))
        if target in ("DNAT", "REDIRECT"):
            keeps_port = all(values == [str(self.packet.port)] for name, values, _ in options if name in _TO)
            yield Step(match, "accept" if target == "REDIRECT" and keeps_port else "drop")
        elif target in self.policies:
            yield Step(match, "goto" if how == "-g" else "jump", target)
        elif target not in _QUIET:
            yield Step(match, _VERDICTS.get(target, target))

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
                return self.packet.has_port([_range(part) for part in listed], source=name.startswith("--s"))
            case "-i" | "-o":
                return self.packet.goes_by([value.replace("+", "*") for value in values], out=name == "-o")
            case "-s" | "-d":
                return self.packet.is_of(listed, destination=name == "-d")
            case "--match-set":
                return Match.SOME if values[-1].startswith("src") else Match.UNCLEAR
            case "--state" | "--ctstate":
                return yes(self.packet.state.upper() in listed)
            case "--syn":
                return yes(not self.packet.answer)
            case "--tcp-flags":
                return self.packet.has_flags(*map(_flags, values))
            case "--dst-type" if not self.packet.answer:
                return yes("LOCAL" in listed)
        return Match.UNCLEAR


def _range(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    return int(low or 0), int((high or 65535) if colon else low)


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
    """Return ``SYN,ACK``, ``ALL`` or ``NONE`` as a list."""
    if text == "ALL":
        return list(_FLAGS)
    return [] if text == "NONE" else text.lower().split(",")
