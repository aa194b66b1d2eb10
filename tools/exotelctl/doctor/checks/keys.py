"""Check the keys that streams show: none, a wrong one, or one that was retired. The edge refuses most before the server does."""

import dataclasses
from collections.abc import Sequence

from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import DEPLOY, URL
from exotelctl.doctor.checks.edged import asks_keys, graded_by_source, refusals_of, refused_by_edge
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import KEY_MISSING, KEY_WRONG
from exotelctl.doctor.facts.journal import RETIRED, Refused
from exotelctl.doctor.result import Finding, Remedy, ok, skipped


def _credentials(facts: Facts, bad: Sequence[Refused], ok_text: str, says: str, remedy: Remedy) -> Finding:
    if not bad:
        return ok(ok_text) if asks_keys(facts) else skipped("streams need no credential here")
    remotes = sorted({refused.remote for refused in bad if refused.remote})
    evidence = [
        f"the last from {bad[-1].remote or 'an address that was not told'}",
        f"from {plural(len(remotes), 'address', 'addresses')}",
    ]
    return graded_by_source(facts, bad, f"{plural(len(bad), 'stream')} {says}", evidence, remedy)


def _in_order(*refused: Refused) -> list[Refused]:
    return sorted(refused, key=lambda one: one.at)


@check("token-stripped", "calls")
def token_stripped(facts: Facts) -> Finding:
    """Claim: streams arrive with a credential. Does not prove: that it is the right one: auth-rejected does."""
    server, edge = facts.calls.get().refused("credentials", "missing"), refused_by_edge(facts, KEY_MISSING)
    remedy = Remedy(
        "Exotel strips the query of the URL, so a token there never arrives. Put it before the host, "
        "wss://USER:TOKEN@HOST/, or into the path.",
        (URL, *refusals_of(edge, server, "REASON=credentials", "DETAIL=missing")),
    )
    says = "brought no credential at all: the query was stripped, or none was set"
    return _credentials(facts, _in_order(*server, *edge), "no stream came without one", says, remedy)


@check("auth-rejected", "calls")
def auth_rejected(facts: Facts) -> Finding:
    """Claim: no stream showed a wrong credential. Does not prove: that the credential is secret."""
    server, retired = facts.calls.get().refused("credentials", "wrong"), _retired_by_edge(facts)
    edge = [refused for refused in refused_by_edge(facts, KEY_WRONG) if refused not in retired]
    remedy = Remedy(
        "The applet's credential is not one of exotel_ws_credentials: it was rotated on one side only, or mistyped. "
        "From an address that is not Exotel's it is somebody who tries.",
        refusals_of(edge, server, "REASON=credentials", "DETAIL=wrong"),
        ("correct exotel_ws_credentials, then ansible-playbook deploy.yml -i INVENTORY",),
    )
    return _credentials(facts, _in_order(*server, *edge), "none was refused", "showed a wrong credential", remedy)


@check("key-retired", "calls")
def key_retired(facts: Facts) -> Finding:
    """Claim: nobody calls with a key that was retired. Does not prove: that every applet has the newest one: exotelctl keys tells
    of each when it was used last.
    """
    server, edge = [refused for refused in facts.calls.get().refusals if refused.detail == RETIRED], _retired_by_edge(facts)
    remedy = Remedy(
        "An applet still has the old key: paste the URL with the new one. Until then, take the old one back into "
        "exotel_ws_credentials and deploy; no call is cut.",
        ("exotelctl keys", *refusals_of(edge, server, f"DETAIL={RETIRED}")),
        (DEPLOY,),
    )
    bad = _in_order(*server, *edge)
    found = _credentials(facts, bad, "none did in the window", "showed a key that was retired", remedy)
    seen = facts.edge.value if facts.edge else None
    retired = [f"{key.name} was retired {_ago(facts, key.retired)}" for key in seen.retired] if seen and bad else []
    return dataclasses.replace(found, evidence=(*found.evidence, *retired))


def _retired_by_edge(facts: Facts) -> list[Refused]:
    """Return the streams that are taken to have shown the edge a retired key.

    The server knows one by its hash, also in a path that is not served. The edge only knows that a key is wrong: if a source
    that made good calls within a day shows one after a key was retired, it is taken for that one.
    """
    edge = facts.edge.value if facts.edge else None
    since = min((key.retired for key in edge.retired), default=None) if edge else None
    proven = set(edge.proven) if edge and since is not None else set()
    return [one for one in refused_by_edge(facts, KEY_WRONG) if one.remote in proven and since is not None and one.at >= since]


def _ago(facts: Facts, at: float) -> str:
    return f"{duration(max(0.0, facts.collected_at - at))} ago"
