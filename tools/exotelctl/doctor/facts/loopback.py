"""The server asked on this host, past every firewall and cloud."""

import dataclasses
from pathlib import Path

from exotel_phone.exits import UsageFault
from exotel_phone.target import Target, parse

from exotelctl.doctor.facts import call
from exotelctl.doctor.facts.deployment import CREDENTIALS, Deployment
from exotelctl.doctor.facts.fact import NotSeen

_HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def look(deployment: Deployment, credentials: Path = CREDENTIALS) -> call.Answers:
    """Ask the deployed port. Raises NotSeen where streams need a credential that this user may not read."""
    path = next(iter(deployment.paths), "")
    host = _HERE.get(deployment.host, deployment.host)
    target = Target(False, host, deployment.port, path, "sample-rate=8000")
    if deployment.asks_credential:
        try:
            credential = parse("ws://here", credentials).credential
        except UsageFault as fault:
            raise NotSeen(f"streams must show a credential: {fault}", needs="root") from None
        target = dataclasses.replace(target, credential=credential)
    return call.look(target)
