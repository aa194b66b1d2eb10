"""The verdict of a packet filter on a call, rule by rule."""

from typing import Any

import pytest
from exotelctl.doctor.firewall import iptables, nft
from exotelctl.doctor.firewall.packet import Packet

PACKET = Packet(8765, ("eth0",))
ACCEPT, DROP, REJECT = {"accept": None}, {"drop": None}, {"reject": {"type": "tcp reset"}}
NAT = {"type": "nat", "hook": "prerouting"}
ANSWER = Packet(8765, ("eth0",), answer=True)
STATES = {"set": [["established", ACCEPT], ["related", ACCEPT], ["invalid", DROP]]}


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


def meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


def dport(right: Any, op: str = "==") -> dict[str, Any]:
    return match(payload("tcp", "dport"), right, op)


def saddr(right: Any, op: str = "==") -> dict[str, Any]:
    return match(payload("ip", "saddr"), right, op)


def prefix(address: str, length: int) -> dict[str, Any]:
    return {"prefix": {"addr": address, "len": length}}


def vmap(key: Any, data: Any) -> dict[str, Any]:
    return {"vmap": {"key": key, "data": data}}


def ruleset(*rules: list[dict[str, Any]], policy: str = "accept", **chain: Any) -> list[dict[str, Any]]:
    """Return a table with one base chain of these rules, a chain ``svc`` that lets 8765 in, and a set and a map."""
    base = {"family": "inet", "table": "f", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": policy}
    of = {"family": "inet", "table": "f"}
    return [
        {"metainfo": {}},
        {"table": {"family": "inet", "name": "f"}},
        {"chain": {**base, **chain}},
        {"chain": {**of, "name": "svc"}},
        {"set": {**of, "name": "bad", "elem": [prefix("203.0.113.0", 24)]}},
        {"set": {**of, "name": "ports", "elem": [22, {"elem": {"val": 8765, "timeout": 60}}]}},
        {"map": {**of, "name": "services", "elem": [[22, ACCEPT], [8765, DROP]]}},
        {"rule": {**of, "chain": "svc", "handle": 9, "expr": [dport(8765), ACCEPT]}},
        *({"rule": {**of, "chain": "in", "handle": number, "expr": rule}} for number, rule in enumerate(rules)),
    ]


NFT: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "no rule": ("pass", []),
    "policy accept": ("pass", ruleset()),
    "policy drop": ("drop", ruleset(policy="drop")),
    "the port dropped": ("drop", ruleset([dport(8765), DROP])),
    "the port rejected": ("drop", ruleset([dport(8765), {"counter": {}}, {"log": {}}, REJECT])),
    "another port dropped": ("pass", ruleset([dport(22), DROP])),
    "another protocol dropped": ("pass", ruleset([match(payload("udp", "dport"), 8765), DROP])),
    "udp by its number": ("pass", ruleset([match(meta("l4proto"), "udp"), DROP])),
    "all of tcp": ("drop", ruleset([match(meta("l4proto"), "tcp"), DROP])),
    "IPv6 only": ("pass", ruleset([match(meta("nfproto"), "ipv6"), DROP])),
    "a set": ("pass", ruleset([dport({"set": [22, 8765]}), ACCEPT], policy="drop")),
    "a set without it": ("drop", ruleset([dport({"set": [22, 443]}), ACCEPT], policy="drop")),
    "a named set": ("pass", ruleset([dport("@ports"), ACCEPT], policy="drop")),
    "a range": ("pass", ruleset([dport({"range": [8000, 9000]}), ACCEPT], policy="drop")),
    "a range in a set": ("pass", ruleset([dport({"set": [22, {"range": [8000, 9000]}]}), ACCEPT], policy="drop")),
    "every port but this": ("pass", ruleset([dport(8765, "!="), DROP])),
    "every port but another": ("drop", ruleset([dport(22, "!="), DROP])),
    "established only": (
        "drop",
        ruleset([match({"ct": {"key": "state"}}, ["established", "related"], "in"), ACCEPT], policy="drop"),
    ),
    "new connections": ("pass", ruleset([match({"ct": {"key": "state"}}, "new", "in"), ACCEPT], policy="drop")),
    "invalid dropped": ("pass", ruleset([match({"ct": {"key": "state"}}, "invalid", "in"), DROP])),
    "a map of states": ("pass", ruleset([vmap({"ct": {"key": "state"}}, STATES)])),
    "a map of ports": ("drop", ruleset([vmap(payload("tcp", "dport"), "@services")])),
    "loopback only": ("drop", ruleset([match(meta("iif"), "lo"), ACCEPT], policy="drop")),
    "all but loopback dropped": ("drop", ruleset([match(meta("iifname"), "lo", "!="), dport(8765), DROP])),
    "the outer interface": ("pass", ruleset([match(meta("iifname"), "eth*"), ACCEPT], policy="drop")),
    "an inner interface": ("drop", ruleset([match(meta("iifname"), "wg0"), ACCEPT], policy="drop")),
    "a jump that lets in": ("pass", ruleset([{"jump": {"target": "svc"}}], policy="drop")),
    "a jump for others": ("drop", ruleset([dport(22), {"jump": {"target": "svc"}}], policy="drop")),
    "a jump that comes back": ("drop", ruleset([{"jump": {"target": "none"}}, [dport(8765), DROP][0], DROP])),
    "goto does not come back": ("pass", ruleset([{"goto": {"target": "none"}}], [dport(8765), DROP])),
    "return": ("pass", ruleset([dport(8765), {"return": None}], [DROP])),
    "bad senders": ("pass", ruleset([saddr("@bad"), DROP])),
    "some senders only": ("depends", ruleset([saddr(prefix("198.51.100.0", 24)), dport(8765), ACCEPT], [dport(8765), DROP])),
    "all but some senders dropped": ("drop", ruleset([saddr(prefix("198.51.100.0", 24), "!="), DROP])),
    "everybody": ("pass", ruleset([saddr(prefix("0.0.0.0", 0)), ACCEPT], policy="drop")),
    "loopback's addresses": ("drop", ruleset([saddr(prefix("127.0.0.0", 8)), ACCEPT], policy="drop")),
    "a mark": ("depends", ruleset([match(meta("mark"), 5), DROP])),
    "a mark that lets in": ("pass", ruleset([match(meta("mark"), 5), ACCEPT])),
    "a mark for others": ("pass", ruleset([dport(22), match(meta("mark"), 5), DROP])),
    "a queue": ("depends", ruleset([dport(8765), {"queue": {"num": 1}}])),
    "too many at once": ("pass", ruleset([dport(8765), {"limit": {"rate": 9, "per": "second", "inv": True}}, DROP])),
    "too many connections": ("pass", ruleset([dport(8765), {"ct count": {"val": 9, "inv": True}}, DROP])),
    "up to a rate": ("pass", ruleset([dport(8765), {"limit": {"rate": 9, "per": "second"}}, ACCEPT], policy="drop")),
    "bogus flags": ("pass", ruleset([match({"&": [payload("tcp", "flags"), ["fin", "syn"]]}, ["fin", "syn"]), DROP])),
    "no SYN": ("pass", ruleset([match({"&": [payload("tcp", "flags"), {"|": ["fin", "syn", "ack"]}]}, "syn", "!="), DROP])),
    "not to this host": ("pass", ruleset([match({"fib": {"result": "type", "flags": ["daddr"]}}, "local", "!="), DROP])),
    "before the input hook": ("drop", ruleset([dport(8765), DROP], hook="prerouting")),
    "forwarded packets": ("pass", ruleset([DROP], hook="forward")),
    "sent to another port": ("drop", ruleset([dport(8765), {"redirect": {"port": 9}}], **NAT)),
    "sent to another host": ("drop", ruleset([dport(8765), {"dnat": {"family": "ip", "addr": "10.9.9.9", "port": 8765}}], **NAT)),
    "sent to the port it has": ("pass", ruleset([dport(8765), {"redirect": None}], **NAT)),
    "another port sent here": ("pass", ruleset([dport(80), {"redirect": {"port": 8765}}], **NAT)),
    "the sender's address rewritten": ("pass", ruleset([{"masquerade": None}], type="nat", hook="postrouting")),
    "packets that go out": ("pass", ruleset(policy="drop", hook="output")),
    "iptables' own words": ("pass", ruleset([{"xt": {"type": "match", "name": "conntrack"}}, DROP])),
    "a circle": ("drop", [*ruleset([{"jump": {"target": "in"}}], [dport(8765), DROP])]),
}


@pytest.mark.parametrize(("verdict", "rules"), NFT.values(), ids=NFT)
def test_nftables(verdict: str, rules: list[dict[str, Any]]) -> None:
    assert nft.judge(rules, PACKET).verdict == verdict


OUT = {"hook": "output"}
NFT_OUT: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "packets that come in": ("pass", ruleset(policy="drop")),
    "policy drop": ("drop", ruleset(policy="drop", **OUT)),
    "from the port": ("drop", ruleset([match(payload("tcp", "sport"), 8765), DROP], **OUT)),
    "from another port": ("pass", ruleset([match(payload("tcp", "sport"), 22), DROP], **OUT)),
    "to a port that no client has": ("pass", ruleset([dport(25), DROP], **OUT)),
    "to a range that clients have": ("depends", ruleset([dport({"range": [1024, 9000]}), DROP], **OUT)),
    "established": ("pass", ruleset([match({"ct": {"key": "state"}}, ["established"], "in"), ACCEPT], policy="drop", **OUT)),
    "new connections dropped": ("pass", ruleset([match({"ct": {"key": "state"}}, "new", "in"), DROP], **OUT)),
    "by the outer interface": ("drop", ruleset([match(meta("oifname"), "lo", "!="), DROP], **OUT)),
    "after the routing": ("drop", ruleset([match(payload("tcp", "sport"), 8765), DROP], hook="postrouting")),
    "address translation": ("pass", ruleset([dport(8765), {"redirect": {"port": 9}}], **NAT)),
}


@pytest.mark.parametrize(("verdict", "rules"), NFT_OUT.values(), ids=NFT_OUT)
def test_nftables_and_the_answer(verdict: str, rules: list[dict[str, Any]]) -> None:
    assert nft.judge(rules, ANSWER).verdict == verdict


def test_the_rule_is_told_as_nft_writes_it() -> None:
    outcome = nft.judge(ruleset([saddr(prefix("203.0.113.0", 24), "!="), dport({"set": [22, 8765]}), DROP]), PACKET)
    assert outcome.rule == "ip saddr != 203.0.113.0/24 tcp dport { 22, 8765 } drop (table inet f, handle 0)"
    assert outcome.where == "chain in"


def saved(*rules: str, policy: str = "ACCEPT", table: str = "filter") -> str:
    """Return the output of ``iptables-save`` for these rules of INPUT and a chain ``svc`` that lets 8765 in."""
    chains = [f":INPUT {policy} [0:0]", ":FORWARD DROP [0:0]", ":svc - [0:0]", "-A svc -p tcp -m tcp --dport 8765 -j ACCEPT"]
    return "\n".join(["# Generated", f"*{table}", *chains, *(f"-A INPUT {rule}" for rule in rules), "COMMIT", ""])


def nat(rule: str) -> str:
    return saved(rule, table="nat").replace("INPUT", "PREROUTING")


IPTABLES: dict[str, tuple[str, str]] = {
    "nothing": ("pass", ""),
    "policy drop": ("drop", saved(policy="DROP")),
    "the port dropped": ("drop", saved("-p tcp -m tcp --dport 8765 -j DROP")),
    "the port rejected": ("drop", saved("-p tcp -m tcp --dport 8765 -j REJECT --reject-with icmp-port-unreachable")),
    "new ones dropped": ("drop", saved("-p tcp -m conntrack --ctstate NEW -m tcp --dport 8765 -j DROP")),
    "another port": ("pass", saved("-p tcp -m tcp --dport 22 -j DROP")),
    "udp": ("pass", saved("-p udp -m udp --dport 8765 -j DROP")),
    "several ports": ("pass", saved("-p tcp -m multiport --dports 22,8000:9000 -j ACCEPT", policy="DROP")),
    "not this port": ("pass", saved("-p tcp -m tcp ! --dport 8765 -j DROP")),
    "established": ("drop", saved("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", policy="DROP")),
    "loopback": ("drop", saved("-i lo -j ACCEPT", policy="DROP")),
    "the outer interface": ("pass", saved("-i eth+ -j ACCEPT", policy="DROP")),
    "not from loopback": ("drop", saved("! -i lo -j DROP")),
    "a chain": ("pass", saved("-j svc", policy="DROP")),
    "goto a chain that does not decide": ("pass", saved("-g other", "-j DROP").replace(":svc -", ":other - [0:0]\n:svc -")),
    "return": ("pass", saved("-p tcp --dport 8765 -j RETURN", "-j DROP")),
    "a log": ("drop", saved('-m limit --limit 3/min -j LOG --log-prefix "[UFW BLOCK] "', policy="DROP")),
    "a comment": ("pass", saved('-p tcp --dport 8765 -m comment --comment "the call port" -j ACCEPT', policy="DROP")),
    "an own target": ("depends", saved("-p tcp --dport 8765 -j SYNPROXY")),
    "a match that is not known": ("depends", saved("-m u32 --u32 0x0 -j DROP")),
    "blocked senders": ("pass", saved("-m set --match-set f2b-sshd src -j REJECT")),
    "some senders": ("depends", saved("-s 198.51.100.0/24 -p tcp --dport 8765 -j ACCEPT", policy="DROP")),
    "a scan": ("pass", saved("-p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP", "-p tcp -m tcp --tcp-flags ALL NONE -j DROP")),
    "syn": ("drop", saved("-p tcp --tcp-flags FIN,SYN,RST,ACK SYN --dport 8765 -j DROP")),
    "raw": ("drop", saved("-p tcp --dport 8765 -j DROP", table="raw")),
    "nat on the way in": ("pass", saved("-p tcp --dport 8765 -j DROP", table="nat")),
    "sent to another port": ("drop", nat("-p tcp -m tcp --dport 8765 -j REDIRECT --to-ports 9")),
    "sent to a container": ("drop", nat("! -i docker0 -p tcp -m tcp --dport 8765 -j DNAT --to-destination 172.17.0.2:8765")),
    "another port sent to a container": ("pass", nat("-p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80")),
    "another port sent here": ("pass", nat("-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8765")),
}


@pytest.mark.parametrize(("verdict", "text"), IPTABLES.values(), ids=IPTABLES)
def test_iptables(verdict: str, text: str) -> None:
    assert iptables.judge(text, PACKET).verdict == verdict


IPTABLES_OUT: dict[str, tuple[str, str]] = {
    "policy drop": ("drop", saved(policy="DROP")),
    "from the port": ("drop", saved("-p tcp -m tcp --sport 8765 -j DROP")),
    "to a port that no client has": ("pass", saved("-p tcp -m tcp --dport 25 -j REJECT")),
    "established": ("pass", saved("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", policy="DROP")),
    "by the outer interface": ("drop", saved("-o eth0 -j DROP")),
    "first packets": ("pass", saved("-p tcp -m tcp --syn -j DROP")),
    "nat": ("pass", nat("-p tcp -m tcp --dport 8765 -j REDIRECT --to-ports 9")),
}


@pytest.mark.parametrize(("verdict", "text"), IPTABLES_OUT.values(), ids=IPTABLES_OUT)
def test_iptables_and_the_answer(verdict: str, text: str) -> None:
    assert iptables.judge(text.replace("INPUT", "OUTPUT"), ANSWER).verdict == verdict


def test_without_a_known_interface_nothing_is_claimed() -> None:
    rules = ruleset([match(meta("iifname"), "eth0"), ACCEPT], policy="drop")
    assert nft.judge(rules, Packet(8765)).verdict == "depends"
    assert iptables.judge(saved("-i eth0 -j ACCEPT", policy="DROP"), Packet(8765)).verdict == "depends"


@pytest.mark.timeout(20)
def test_chains_that_jump_in_circles_come_to_an_end() -> None:
    assert nft.judge(ruleset(*[[{"jump": {"target": "in"}}]] * 9, policy="drop"), PACKET).verdict == "depends"
    assert iptables.judge(saved(*["-j INPUT"] * 9, policy="DROP"), PACKET).verdict == "depends"
