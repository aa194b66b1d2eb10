"""Check the keys that streams show: none, a wrong one, or one that was retired. The edge refuses most before the server does."""

import dataclasses
from collections.abc import Sequence

from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import DEPLOY, URL, of_last_hour
from exotelctl.doctor.checks.edged import asks_keys, refused_by_edge
from exotelctl.doctor.checks.grade import graded, times
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import KEY_MISSING, KEY_WRONG
from exotelctl.doctor.facts.journal import RETIRED, Refused
from exotelctl.doctor.result import Finding, Remedy, ok, skipped


def _credentials(facts: Facts, bad: Sequence[Refused], ok_text: str, says: str, remedy: Remedy) -> Finding:
    calls = facts.calls.get()
    if not bad:
        return ok(ok_text) if asks_keys(facts) else skipped("streams need no credential here")
    remotes = sorted({refused.remote for refused in bad if refused.remote})
    evidence = [
        f"the last from {bad[-1].remote or 'an address that was not told'}",
        f"from {plural(len(remotes), 'address', 'addresses')}",
    ]
    return graded(times(bad), times(calls.started), f"{plural(len(bad), 'stream')} {says}", evidence, remedy)


def _refused(facts: Facts, detail: str, of_edge: str) -> list[Refused]:
    """Return the streams that the server refused for a credential with this ``detail``, and the edge for ``of_edge``."""
    found = (*facts.calls.get().refused("credentials", detail), *refused_by_edge(facts, of_edge))
    return sorted(found, key=lambda refused: refused.at)


@check("token-stripped", "calls")
def token_stripped(facts: Facts) -> Finding:
    """Claim: streams arrive with a credential. Does not prove: that it is the right one: auth-rejected does."""
    remedy = Remedy(
        "Exotel strips the query of the URL, so a token there never arrives. Put it before the host, "
        "wss://USER:TOKEN@HOST/, or into the path.",
        (URL,),
    )
    says = "brought no credential at all: the query was stripped, or none was set"
    return _credentials(facts, _refused(facts, "missing", KEY_MISSING), "no stream came without one", says, remedy)


@check("auth-rejected", "calls")
def auth_rejected(facts: Facts) -> Finding:
    """Claim: no stream showed a wrong credential. Does not prove: that the credential is secret."""
    remedy = Remedy(
        "The applet's credential is not one of exotel_ws_credentials: it was rotated on one side only, or mistyped. "
        "From an address that is not Exotel's it is somebody who tries.",
        (of_last_hour("EVENT=refused", "REASON=credentials"),),
        ("correct exotel_ws_credentials, then ansible-playbook deploy.yml -i INVENTORY",),
    )
    retired = _with_retired(facts)
    bad = [refused for refused in _refused(facts, "wrong", KEY_WRONG) if refused not in retired]
    return _credentials(facts, bad, "none was refused", "showed a wrong credential", remedy)


@check("key-retired", "calls")
def key_retired(facts: Facts) -> Finding:
    """Claim: nobody calls with a key that was retired. Does not prove: that every applet has the newest one: exotelctl keys tells
    of each when it was used last.
    """
    remedy = Remedy(
        "An applet still has the old key: paste the URL with the new one. Until then, take the old one back into "
        "exotel_ws_credentials and deploy; no call is cut.",
        ("exotelctl keys", of_last_hour("EVENT=refused", "DETAIL=retired")),
        (DEPLOY,),
    )
    bad = _with_retired(facts)
    found = _credentials(facts, bad, "none did in the window", "showed a key that was retired", remedy)
    edge = facts.edge.value if facts.edge else None
    retired = [f"{key.name} was retired {_ago(facts, key.retired)}" for key in edge.retired] if edge and bad else []
    return dataclasses.replace(found, evidence=(*found.evidence, *retired))


def _with_retired(facts: Facts) -> list[Refused]:
    """Return the streams that showed a retired key.

    The server knows one by its hash, also in a path that is not served. The edge only knows that a key is wrong: if a source
    that made good calls within a day shows one after a key was retired, it is taken for that one.
    """
    edge = facts.edge.value if facts.edge else None
    since = min((key.retired for key in edge.retired), default=None) if edge else None
    proven = set(edge.proven) if edge and since is not None else set()
    of_edge = [one for one in refused_by_edge(facts, KEY_WRONG) if one.remote in proven and since is not None and one.at >= since]
    known = (refused for refused in facts.calls.get().refusals if refused.detail == RETIRED)
    return sorted((*known, *of_edge), key=lambda refused: refused.at)


def _ago(facts: Facts, at: float) -> str:
    return f"{duration(max(0.0, facts.collected_at - at))} ago"
