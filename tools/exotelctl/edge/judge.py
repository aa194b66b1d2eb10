"""Say what is wrong with the edge, in a sentence each. The doctor says more, and why. Pure."""

from typing import Final

from exotel_phone.command import of_units
from exotel_phone.text import duration

from exotelctl.edge.config import UNIT, EdgeConfig
from exotelctl.edge.facts import Edge

LOOK: Final = of_units("status", UNIT)


def not_running(edge: Edge) -> str:
    """Return that HAProxy does not run; "" where it runs, is not known, or the host has no edge."""
    if edge.config is None or edge.state is None or edge.state.active in ("active", "reloading"):
        return ""
    return f"{UNIT} is {edge.state.active}: no new call gets in"


def problems(edge: Edge, known: EdgeConfig, now: float) -> list[str]:
    """Return what is wrong at ``now`` (Unix seconds); an empty list where all that was seen is well."""
    found = []
    if stopped := not_running(edge):
        found.append(f"{stopped}; {LOOK}")
    elif edge.no_served:
        found.append(f"no TLS on port {known.port}: {edge.no_served}")
    if edge.no_inside:
        found.append(edge.no_inside)
    if edge.inside:
        if edge.inside.reaches_none:
            found.append(f"it finds no server at {known.backend}")
        if edge.inside.old and edge.inside.pile_up:
            found.append(f"{len(edge.inside.old)} old workers pile up")
    return [*found, *_of_certificate(edge, known, now)]


def _of_certificate(edge: Edge, known: EdgeConfig, now: float) -> list[str]:
    if edge.served is None:
        return []
    leaf, found = edge.served.leaf, []
    left_s = leaf.not_after - now
    if left_s <= 0:
        found.append(f"the certificate expired {duration(-left_s)} ago")
    elif left_s < leaf.alarm_s:
        found.append(f"the certificate ends in {duration(left_s)} and should have been renewed")
    if now < leaf.not_before:
        found.append("the certificate is not valid yet by this host's clock")
    lacks = [name for name in known.domains if not leaf.covers(name)]
    if lacks:
        found.append(f"the certificate is not for {', '.join(lacks)}")
    if edge.chain and edge.chain[0].fingerprint != leaf.fingerprint:
        found.append("another certificate is served than the one in its file")
    return found
