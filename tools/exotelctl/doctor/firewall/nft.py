"""Evaluate ``nft --json list ruleset`` (the format: libnftables-json(5))."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from exotelctl.doctor.firewall.packet import Match, Outcome, Packet, Step, Table, worst, yes

_FAMILIES: Final = ("ip", "inet")
_IN: Final = ("prerouting", "input")
_OUT: Final = ("output", "postrouting")
_REWRITTEN: Final = "prerouting"
"""The hook at which a packet's destination is changed."""
_QUIET: Final = frozenset(
    {"match", "counter", "log", "mangle", "limit", "ct count", "ct helper", "notrack", "set", "quota", "last", "flow"}
)
_BOUNDS: Final = ("limit", "ct count")
_OTHER_PROTOCOLS: Final = frozenset({"udp", "sctp", "dccp", "icmp", "icmpv6", "ip6"})

Json = Mapping[str, Any]


def judge(ruleset: Sequence[Json], packet: Packet) -> Outcome:
    """Return what all chains that see ``packet`` do with it, without tables that iptables wrote in its own words."""
    tables: dict[tuple[str, str], _Table] = {}
    for item in ruleset:
        for kind, thing in item.items():
            if kind in ("chain", "rule", "set", "map") and thing["family"] in _FAMILIES:
                tables.setdefault((thing["family"], thing["table"]), _Table(packet)).add(kind, thing)
    return worst(outcome for table in tables.values() if not table.foreign for outcome in table.outcomes())


class _Table(Table[Json]):
    """One table, with its named sets and maps. ``foreign``: it has rules in words of iptables' own."""

    def __init__(self, packet: Packet) -> None:
        super().__init__(packet)
        self._sets: dict[str, Json] = {}
        self.foreign = False

    def add(self, kind: str, thing: Json) -> None:
        if kind == "chain":
            self.policies[thing["name"]] = thing.get("policy", "accept")
            self.entered += [thing["name"]] if self._enters(thing.get("type"), thing.get("hook")) else []
        elif kind == "rule":
            self.rules[thing["chain"]].append(thing)
            self.foreign = self.foreign or any("xt" in statement for statement in thing.get("expr", ()))
        else:
            self._sets[thing["name"]] = thing

    def _enters(self, kind: object, hook: object) -> bool:
        """Return True for a chain that the kernel enters for the packet and that can keep it from where it should go."""
        if kind == "nat":
            return hook == _REWRITTEN and not self.packet.answer
        return kind == "filter" and hook in (_OUT if self.packet.answer else _IN)

    def shown(self, rule: Json) -> str:
        words = " ".join(filter(None, map(_shown_statement, rule.get("expr", ()))))
        comment = f" (comment {rule['comment']!r})" if rule.get("comment") else ""
        return f"{words}{comment} (table {rule['family']} {rule['table']}, handle {rule.get('handle', '?')})"

    def steps(self, rule: Json) -> Iterator[Step]:
        match = Match.YES
        for statement in rule.get("expr", ()):
            match = min(match, self._holds(statement))
            [(word, body)] = statement.items()
            if word == "vmap":
                word, body = self._looked_up(body)
            if word in ("redirect", "dnat"):
                stays = word == "redirect" and (body or {}).get("port", self.packet.port) == self.packet.port
                yield Step(match, "accept" if stays else "drop")
            elif word in ("jump", "goto"):
                yield Step(match, word, body["target"])
            elif word not in _QUIET:
                yield Step(match, "drop" if word == "reject" else word)

    def _holds(self, statement: Json) -> Match:
        """Match the condition of a statement; one without a condition holds. A first packet reaches no bound."""
        if "match" in statement:
            condition = statement["match"]
            holds = self._compare(condition["left"], condition["right"])
            return holds.negated if condition.get("op") == "!=" else holds
        over = any(isinstance(statement.get(bound), dict) and statement[bound].get("inv") for bound in _BOUNDS)
        return Match.NO if over else Match.YES

    def _looked_up(self, vmap: Json) -> tuple[str, Any]:
        """Return the verdict that a map gives; that of a statement which only compares if the map has none."""
        for key, verdict in self._elements(vmap["data"]):
            holds = self._compare(vmap["key"], key)
            if holds is Match.YES:
                [found] = verdict.items()
                return found  # type: ignore[no-any-return]
            if holds is not Match.NO:
                return "vmap", None
        return "match", None

    def _compare(self, left: Json, right: Any) -> Match:
        values = self._elements(right)
        [(kind, body)] = left.items()
        if kind == "&":
            field, mask = body
            of_flags = isinstance(field, dict) and field.get("payload", {}).get("field") == "flags"
            wanted = [flag for value in values for flag in _flags(value)]
            return self.packet.has_flags(_flags(mask), wanted) if of_flags else Match.UNCLEAR
        what = (body.get("protocol", kind), body.get("field") or body.get("key")) if isinstance(body, dict) else (kind, None)
        match what:
            case ("tcp" | "th", "dport" | "sport" as side):
                return self.packet.has_port([_range(value) for value in values], source=side == "sport")
            case ("tcp", "flags"):
                return yes(bool(self.packet.flags & set(values)))
            case ("meta", "l4proto") | ("ip", "protocol"):
                return yes("tcp" in values or 6 in values)
            case ("meta", "nfproto"):
                return yes("ipv4" in values)
            case ("meta", "iif" | "iifname" | "oif" | "oifname" as key):
                return self.packet.goes_by([str(value) for value in values], out=key.startswith("o"))
            case ("ip", "saddr" | "daddr" as side):
                return self.packet.is_of([_network(value) for value in values], destination=side == "daddr")
            case ("ct", "state"):
                return yes(self.packet.state in values)
            case ("fib", None) if body.get("result") == "type" and "daddr" in body.get("flags", ()) and not self.packet.answer:
                return yes("local" in values)
            case (protocol, _) if protocol in _OTHER_PROTOCOLS:
                return Match.NO
        return Match.UNCLEAR

    def _elements(self, right: Any) -> list[Any]:
        """Return the single values of a value, a list, an anonymous set or a named one."""
        if isinstance(right, str) and right.startswith("@"):
            return self._elements(self._sets[right[1:]].get("elem", []))
        if isinstance(right, dict) and "set" in right:
            return self._elements(right["set"])
        if isinstance(right, list):
            return [value["elem"]["val"] if isinstance(value, dict) and "elem" in value else value for value in right]
        return [right]


def _flags(flags: Any) -> list[str]:
    """Return flags that are joined by ``|`` as a list."""
    if isinstance(flags, dict) and "|" in flags:
        return [flag for operand in flags["|"] for flag in _flags(operand)]
    return flags if isinstance(flags, list) else [flags]


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


def _range(value: Any) -> tuple[int, int] | None:
    """Return the lowest and the highest port; None for a value that is not understood."""
    match value:
        case int():
            return value, value
        case {"range": [int(low), int(high)]}:
            return low, high
    return None


def _network(value: Any) -> str:
    return _shown_value(value) if isinstance(value, str | dict) else ""
