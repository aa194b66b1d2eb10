"""The server asked on this host, past every firewall and cloud."""

from pathlib import Path

from exotel_phone.exits import UsageFault
from exotel_phone.target import Target, parse

from exotelctl.doctor.facts import call
from exotelctl.doctor.facts.deployment import CREDENTIALS, Deployment
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.host_settings import reached_at


def look(deployment: Deployment, credentials: Path = CREDENTIALS) -> call.Answers:
    """Ask the deployed port. Raises NotSeen where streams need a credential that this user may not read."""
    try:
        credential = parse("ws://here", credentials).credential if deployment.asks_credential else None
    except UsageFault as fault:
        raise NotSeen(f"streams must show a credential: {fault}", needs="root") from None
    path = next(iter(deployment.paths), "")
    return call.look(Target(False, reached_at(deployment.host), deployment.port, path, "sample-rate=8000", credential))
