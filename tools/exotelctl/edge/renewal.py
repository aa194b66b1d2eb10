"""Look at what renews the certificate, and at the monthly rehearsal of it: their timers, and how they last ended."""

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotelctl import systemctl
from exotelctl.edge import certificate
from exotelctl.edge.certificate import Certificate

OF_NAMES: Final = "certbot"
OF_ADDRESSES: Final = "exotel-edge-renewal"
REHEARSAL: Final = "exotel-edge-rehearsal"
"""Timers: Debian's certbot knows no certificate for an address, so those have one of ours."""
RESULT: Final = Path("/var/lib/exotel-edge/rehearsal.json")
LINEAGES: Final = {
    OF_NAMES: Path("/etc/letsencrypt/live/exotel-edge/fullchain.pem"),
    OF_ADDRESSES: Path("/etc/exotel-edge/letsencrypt/live/exotel-edge/fullchain.pem"),
}
_ASKED: Final = ("LoadState", "ActiveState", "UnitFileState", "Result", "LastTriggerUSec", "NextElapseUSecRealtime")
_MOST_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Job:
    """A timer and the service that it starts, by their name without suffix.

    ``timer`` is the timer's state, ``not-found`` where there is none; ``enabled`` its UnitFileState. ``service`` is the service's
    state and ``result`` how it last ended. ``last`` and ``next`` are systemd's words for when it ran and will run, "" for never.
    """

    name: str
    timer: str
    enabled: str
    service: str
    result: str
    last: str = ""
    next: str = ""

    @property
    def alive(self) -> bool:
        """Return True if it will run again, after a reboot too."""
        return self.timer == "active" and self.enabled in ("enabled", "enabled-runtime", "static")

    @property
    def failed(self) -> bool:
        """Return True if its last run failed."""
        return self.service == "failed" or self.result not in ("", "success")


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """End of the last rehearsal, at a time in Unix seconds; ``reason`` is why it failed, "" where it did not."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """The renewal and its rehearsal, None where systemd did not answer; the last rehearsal, None where there was none.

    ``issued`` is the newest certificate that the authority issued, None where it was not read.
    """

    real: Job | None
    rehearsal: Job | None
    rehearsed: Rehearsed | None = None
    issued: Certificate | None = None


def look(domains: Sequence[str]) -> Renewal:
    """Ask systemd, and read what the last rehearsal and the authority left."""
    name = OF_ADDRESSES if any(map(_is_address, domains)) else OF_NAMES
    return Renewal(_job(name), _job(REHEARSAL), _rehearsed(RESULT), _issued(LINEAGES[name]))


def _job(name: str) -> Job | None:
    timer, service = f"{name}.timer", f"{name}.service"
    try:
        shown = systemctl.show([timer, service], _ASKED)
    except systemctl.CommandFailed:
        return None
    of_timer, of_service = shown.get(timer, {}), shown.get(service, {})
    loaded = of_timer.get("LoadState", "not-found")
    return Job(
        name=name,
        timer=of_timer.get("ActiveState", "") if loaded == "loaded" else loaded,
        enabled=of_timer.get("UnitFileState", ""),
        service=of_service.get("ActiveState", ""),
        result=of_service.get("Result", ""),
        last=_moment(of_timer.get("LastTriggerUSec", "")),
        next=_moment(of_timer.get("NextElapseUSecRealtime", "")),
    )


def _rehearsed(file: Path) -> Rehearsed | None:
    try:
        with file.open("rb") as opened:
            said = json.loads(opened.read(_MOST_BYTES))
        return Rehearsed(float(said["at"]), "" if said["ok"] is True else str(said.get("reason") or "no reason told")[:400])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _issued(file: Path) -> Certificate | None:
    try:
        return certificate.in_file(file)[0]
    except certificate.Unreadable:
        return None


def _moment(text: str) -> str:
    return "" if text in ("n/a", "0", "infinity") else text


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
