"""Evaluate ``nft --json list ruleset`` (the format: libnftables-json(5))."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from exotelctl.doctor.firewall.packet import Match, Outcome, Packet, Walk, both, comes_by, has_flags, senders, worst, yes

_FAMILIES: Final = ("ip", "inet")
_IN: Final = ("prerouting", "input")
_OUT: Final = ("output", "postrouting")
_REWRITTEN: Final = "prerouting"
"""The hook at which a packet's destination is changed."""
_QUIET: Final = frozenset(
    {"counter", "log", "mangle", "limit", "ct count", "ct helper", "notrack", "set", "quota", "last", "flow"}
)
_BOUNDS: Final = ("limit", "ct count")
_OTHER_PROTOCOLS: Final = frozenset({"udp", "sctp", "dccp", "icmp", "icmpv6", "ip6"})

Json = Mapping[str, Any]


def judge(ruleset: Sequence[Json], packet: Packet) -> Outcome:
    """Return what all chains that see ``packet`` do with it, without tables that iptables wrote in its own words."""
    tables: dict[tuple[str, str], _Table] = defaultdict(_Table)
    for item in ruleset:
        for kind, thing in item.items():
            if kind in ("chain", "rule", "set", "map"):
                tables[thing["family"], thing["table"]].add(kind, thing)
    seen = [table for (family, _), table in tables.items() if family in _FAMILIES and not table.foreign]
    return worst(table.judge(chain, packet) for table in seen for chain in table.base_chains(packet))


class _Table:
    """One table: its chains, their rules, its named sets and maps. ``foreign``: it has rules in words of iptables' own."""

    def __init__(self) -> None:
        self.chains: dict[str, Json] = {}
        self.rules: dict[str, list[Json]] = defaultdict(list)
        self.sets: dict[str, Json] = {}
        self.foreign = False

    def add(self, kind: str, thing: Json) -> None:
        if kind == "chain":
            self.chains[thing["name"]] = thing
        elif kind == "rule":
            self.rules[thing["chain"]].append(thing)
            self.foreign = self.foreign or any("xt" in statement for statement in thing.get("expr", ()))
        else:
            self.sets[thing["name"]] = thing

    def base_chains(self, packet: Packet) -> Iterator[str]:
        """Return the chains that the kernel enters for it and that can keep it from where it should go."""
        for name, chain in self.chains.items():
            kind, hook = chain.get("type"), chain.get("hook")
            if kind == "filter" and hook in (_OUT if packet.answer else _IN):
                yield name
            if kind == "nat" and hook == _REWRITTEN and not packet.answer:
                yield name

    def judge(self, chain: str, packet: Packet) -> Outcome:
        walk = _ChainWalk(self, packet)
        policy = self.chains[chain].get("policy", "accept")
        return walk.through(chain, Match.YES, 0) or walk.end(policy != "drop", f"policy {policy}", f"chain {chain}")


class _ChainWalk(Walk[Json]):
    """The way of the packet through a base chain and those that it jumps to."""

    def __init__(self, table: _Table, packet: Packet) -> None:
        super().__init__(table.rules, packet)
        self._table = table

    def through(self, chain: str, entered: Match, depth: int) -> Outcome | None:
        """Through ``chain``, entered on a condition. None: it came out again."""
        for rule in self.along(chain, depth):
            match = entered
            for statement in rule.get("expr", ()):
                match = both(match, self._holds(statement))
                verdict = self._verdict_of(statement)
                if match is Match.NO:
                    break
                if verdict:
                    outcome, leaves = self._carry_out(*verdict, match, shown(rule), f"chain {chain}", depth)
                    if outcome or leaves:
                        return outcome
        return None

    def _carry_out(self, word: str, body: Any, match: Match, rule: str, where: str, depth: int) -> tuple[Outcome | None, bool]:
        """Return the outcome if this is the end, and True if the chain is left."""
        if word in ("accept", "drop", "reject"):
            return self.decide(match, word == "accept", rule, where), False
        if word in ("redirect", "dnat"):
            stays = word == "redirect" and (body or {}).get("port", self._packet.port) == self._packet.port
            return self.decide(match, stays, rule, where), False
        if word in ("jump", "goto"):
            return self.through(body["target"], match, depth + 1), word == "goto" and match is Match.YES
        if word == "return" and match is not Match.UNCLEAR:
            return None, match is Match.YES
        self.doubt(match, rule, where)
        return None, False

    def _holds(self, statement: Json) -> Match:
        """Match the condition of a statement; one without a condition holds. A first packet reaches no bound."""
        if "match" in statement:
            condition = statement["match"]
            holds = self._compare(condition["left"], condition["right"])
            return holds.negated if condition.get("op") == "!=" else holds
        over = any(isinstance(statement.get(bound), dict) and statement[bound].get("inv") for bound in _BOUNDS)
        return Match.NO if over else Match.YES

    def _verdict_of(self, statement: Json) -> tuple[str, Any] | None:
        """Return the verdict that a statement gives: itself, or what a map says; None for one that only counts or logs."""
        [(word, body)] = statement.items()
        if word == "vmap":
            return self._looked_up(body)
        return None if word == "match" or word in _QUIET else (word, body)

    def _looked_up(self, vmap: Json) -> tuple[str, Any] | None:
        for key, verdict in self._elements(vmap["data"]):
            holds = self._compare(vmap["key"], key)
            if holds is Match.YES:
                [found] = verdict.items()
                return found  # type: ignore[no-any-return]
            if holds is not Match.NO:
                return "vmap", None
        return None

    def _compare(self, left: Json, right: Any) -> Match:
        values = self._elements(right)
        [(kind, body)] = left.items()
        if kind == "&":
            return self._masked(body, values)
        what = (body.get("protocol", kind), body.get("field") or body.get("key")) if isinstance(body, dict) else (kind, None)
        match what:
            case ("tcp" | "th", "dport" | "sport" as side):
                ours = (side == "sport") == self._packet.answer
                return _port(values, self._packet.port) if ours else _callers_port(values)
            case ("tcp", "flags"):
                return yes(bool(self._packet.flags & set(values)))
            case ("meta", "l4proto") | ("ip", "protocol"):
                return yes("tcp" in values or 6 in values)
            case ("meta", "nfproto"):
                return yes("ipv4" in values)
            case ("meta", "iif" | "iifname" | "oif" | "oifname" as key):
                there = key.startswith("o") == self._packet.answer
                return comes_by([str(value) for value in values], self._packet.interfaces) if there else Match.NO
            case ("ip", "saddr" | "daddr" as side) if (side == "daddr") == self._packet.answer:
                return senders([_network(value) for value in values])
            case ("ct", "state"):
                return yes(self._packet.state in values)
            case ("fib", None) if body.get("result") == "type" and "daddr" in body.get("flags", ()) and not self._packet.answer:
                return yes("local" in values)
            case (protocol, _) if protocol in _OTHER_PROTOCOLS:
                return Match.NO
        return Match.UNCLEAR

    def _masked(self, operands: Any, values: list[Any]) -> Match:
        field, mask = operands
        if isinstance(field, dict) and field.get("payload", {}).get("field") == "flags":
            return has_flags(flags_of(mask), [flag for value in values for flag in flags_of(value)], self._packet)
        return Match.UNCLEAR

    def _elements(self, right: Any) -> list[Any]:
        """Return the single values of a value, a list, an anonymous set or a named one."""
        if isinstance(right, str) and right.startswith("@"):
            return self._elements(self._table.sets[right[1:]].get("elem", []))
        if isinstance(right, dict) and "set" in right:
            return self._elements(right["set"])
        if isinstance(right, list):
            return [value["elem"]["val"] if isinstance(value, dict) and "elem" in value else value for value in right]
        return [right]


def flags_of(flags: Any) -> list[str]:
    """Flags that are joined by ``|``, as a list."""
    if isinstance(flags, dict) and "|" in flags:
        return [flag for operand in flags["|"] for flag in flags_of(operand)]
    return flags if isinstance(flags, list) else [flags]


def shown(rule: Json) -> str:
    """Return a rule about as nft writes it, and its place."""
    words = " ".join(filter(None, map(_shown_statement, rule.get("expr", ()))))
    comment = f" (comment {rule['comment']!r})" if rule.get("comment") else ""
    return f"{words}{comment} (table {rule['family']} {rule['table']}, handle {rule.get('handle', '?')})"


def _shown_statement(statement: Json) -> str:
    [(word, body)] = statement.items()
    if word == "match":
        operator = "!= " if body.get("op") == "!=" else ""
        return f"{_shown_value(body['left'])} {operator}{_shown_value(body['right'])}"
    if word in ("jump", "goto"):
        return f"{word} {body['target']}"
    if word == "vmap":
        return f"{_shown_value(body['key'])} vmap {_shown_value(body['data'])}"
    if word in ("redirect", "dnat") and body:
        return f"{word} to {body.get('addr', '')}:{body.get('port', '')}".rstrip(":")
    return "" if word == "counter" else word


def _shown_value(value: Any) -> str:
    match value:
        case {"payload": {"protocol": protocol, "field": field}}:
            return f"{protocol} {field}"
        case {"meta": {"key": key}}:
            return f"meta {key}"
        case {"ct": {"key": key}}:
            return f"ct {key}"
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [low, high]}:
            return f"{low}-{high}"
        case {"set": elements} | list(elements):
            return "{ " + ", ".join(map(_shown_value, elements)) + " }"
        case dict():
            return next(iter(value), "")
    return str(value)


def _port(values: list[Any], port: int) -> Match:
    found = Match.NO
    for value in values:
        match value:
            case int():
                holds = yes(value == port)
            case {"range": [int(low), int(high)]}:
                holds = yes(low <= port <= high)
            case _:
                holds = Match.UNCLEAR
        if holds is Match.YES:
            return holds
        found = holds if holds is not Match.NO else found
    return found


def _callers_port(values: list[Any]) -> Match:
    """Match the caller's port, which is any that a client gets."""
    highest = [value["range"][1] if isinstance(value, dict) and "range" in value else value for value in values]
    return Match.NO if all(isinstance(port, int) and port < 1024 for port in highest) else Match.UNCLEAR


def _network(value: Any) -> str:
    return _shown_value(value) if isinstance(value, str | dict) else ""
