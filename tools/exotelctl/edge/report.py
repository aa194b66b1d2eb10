"""Show the edge to people and to programs. Pure."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

from exotel_phone.command import command
from exotel_phone.text import duration, plural, printable

from exotelctl.edge.config import UNIT, EdgeConfig
from exotelctl.edge.facts import Edge, Full, OldWorker, PutOut

_MOST = 20


def as_text(edge: Edge, known: EdgeConfig, problems: Sequence[str], now: float) -> str:
    """Return what the edge does, a line each, the problems last."""
    return "\n".join([*_lines(edge, known, now), *(f"❌ {printable(problem, 300)}" for problem in problems)])


def _lines(edge: Edge, known: EdgeConfig, now: float) -> Iterator[str]:
    names = ", ".join(printable(name, 100) for name in known.domains)
    state = edge.state.active if edge.state else "of an unknown state"
    since = f" for {duration(edge.state.changed_s)}" if edge.state and edge.state.changed_s is not None else ""
    version = f" (HAProxy {edge.inside.version})" if edge.inside else ""
    yield f"edge         wss://{names}, port {known.port}: {UNIT} is {state}{since}{version}"
    yield f"certificate  {_certificate(edge, known, now)}"
    if edge.inside is None:
        return
    inside = edge.inside
    servers = ", ".join(f"{printable(server.name, 40)} {server.status}" for server in inside.for_calls)
    yield f"server       {known.backend}: {servers or 'no server'}"
    sources = plural(inside.known, "known good source")
    yield f"connections  {inside.tunnels} now, {inside.turned_away} turned away before TLS, {sources}"
    yield f"old workers  {_old(inside.old)}"
    yield f"put out      {plural(len(inside.put_out), 'source') if inside.put_out else 'nobody'}"
    for one in inside.put_out[:_MOST]:
        back = f"back within {duration(one.left_s)} if it is quiet"
        yield f"  {one.address}  {why(one)}; {back}; let it in now: {command('exotelctl', 'edge', 'admit', one.address)}"
    if len(inside.put_out) > _MOST:
        yield f"  … and {len(inside.put_out) - _MOST} more (--json has them all)"
    yield f"full         {plural(len(inside.full), 'source') if inside.full else 'nobody'}"
    for source in inside.full[:_MOST]:
        yield f"  {source.address}  {why_full(source, known)}; look: {connections_of(source, known)}"
    if len(inside.full) > _MOST:
        yield f"  … and {len(inside.full) - _MOST} more (--json has them all)"


def _certificate(edge: Edge, known: EdgeConfig, now: float) -> str:
    leaf = edge.served.leaf if edge.served else edge.chain[0] if edge.chain else None
    if leaf is None:
        return f"{known.certificate}: {printable(edge.no_served or edge.no_chain, 200)}"
    until = time.strftime("%Y-%m-%d", time.gmtime(leaf.not_after))
    left_s = leaf.not_after - now
    left = f"{left_s / 86400:.0f} days left" if left_s >= 86400 else f"{duration(left_s)} left" if left_s > 0 else "expired"
    names, issuer = printable(", ".join(leaf.names), 200), printable(leaf.issuer, 100)
    return f"{known.certificate}, {left} (until {until}), for {names}, by {issuer}"


def _old(old: Sequence[OldWorker] | None) -> str:
    if old is None:
        return "not known: HAProxy's master has no socket"
    held = [one.connections for one in old if one.connections is not None]
    return f"{len(old)}, with {plural(sum(held), 'connection')} that they end" if old else "none"


def why(one: PutOut) -> str:
    """Return why a source is put out."""
    what = plural(one.count, "bad key") if one.why == "keys" else f"{plural(one.count, 'connection')} in 10 s"
    return f"{what}{', though it made good calls today' if one.proven else ''}"


def why_full(source: Full, known: EdgeConfig) -> str:
    """Return why connections of a good source are refused."""
    return (
        f"{plural(source.refused, 'connection')} refused in 10 minutes, for it may have {known.known_connections} at a time, "
        f"and has {source.connections} now"
    )


def connections_of(source: Full, known: EdgeConfig) -> str:
    """Return the command that shows the connections of a source, of IPv6 those of its network."""
    if known.proxy_protocol:  # they are the balancer's
        return command("exotelctl", "logs", "--edge")
    peer = f"[{source.address}]/64" if ":" in source.address else source.address
    return command("ss", "-Htn", f"sport = :{known.port} and dst {peer}")


def as_json(edge: Edge, known: EdgeConfig, problems: Sequence[str], now: float) -> dict[str, Any]:
    """Return the same under stable keys, times in Unix seconds; null for what could not be seen."""
    leaf = edge.served.leaf if edge.served else None
    inside = edge.inside
    return {
        "ok": not problems,
        "problems": list(problems),
        "domains": list(known.domains),
        "port": known.port,
        "unit": edge.state and dataclasses.asdict(edge.state),
        "version": inside and inside.version,
        "certificate": {
            "kind": known.certificate,
            "names": leaf and list(leaf.names),
            "issuer": leaf and leaf.issuer,
            "not_before": leaf and leaf.not_before,
            "not_after": leaf and leaf.not_after,
            "days_left": leaf and round((leaf.not_after - now) / 86400, 2),
            "verified": edge.served and edge.served.code == 0,
            "in_file": edge.chain[0].fingerprint == leaf.fingerprint if edge.chain and leaf else None,
        },
        "connections": inside and inside.tunnels,
        "turned_away": inside and inside.turned_away,
        "known": inside and inside.known,
        "servers": inside and [dataclasses.asdict(server) for server in inside.servers],
        "old_workers": [dataclasses.asdict(one) for one in inside.old] if inside and inside.old is not None else None,
        "put_out": inside and [dataclasses.asdict(one) for one in inside.put_out],
        "full": inside and [dataclasses.asdict(one) for one in inside.full],
    }
