"""Judge whether the server can be deployed to a host, by the facts of the preflight's script. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_SYSTEMD = 249
LEAST_PYTHON = (3, 11)
# The release of AI mode comes in wheels of 230 MB and takes 700 MB.
_AI_MB = 1000
_NO_NTP = "warning: its clock is not synchronised (timedatectl set-ntp true), so times in logs will drift"


@dataclass(frozen=True)
class Wanted:
    """Needs of a deploy: the server's mode and call port, free space in MB, and the clocks' distance in seconds at most."""

    mode: str
    port: int
    free_mb: int
    clock_skew_s: int


def not_root(become_user: str) -> str:
    """Return why tasks do not run as root, and the cure, by the ``ansible_become_user`` of the host, which may be empty."""
    if become_user not in ("", "root"):
        return f"the tasks run as {become_user}, not as root: take ansible_become_user away, or set it to root"
    return "the tasks do not run as root: set `become: true` for the host, or ansible_become in the inventory"


def readiness(
    facts: Mapping[str, Any],
    platforms: Mapping[str, Mapping[str, Any]],
    wanted: Wanted,
    become_user: str = "",
    *,
    installed: bool = False,
) -> dict[str, Any]:
    """Return `platform`, `python_comes`, `problems` and `findings` of a host.

    `facts` are those of ``reach.sh`` and ``facts.sh`` of the role ``preflight``. `platforms` has the interpreter (``python``) and
    the ``packages`` that bring it, by distribution. A Python that is missing is no problem, and `python_comes` is true, until
    the packages are `installed`. `problems` have their cures; `findings` are lines to show, warnings last.
    """
    platform = dict(platforms.get(facts["os"], {}))
    comes = bool(platform) and platform["python"] not in (facts["pythons"] or {}) and not installed
    problems = _problems(facts, platforms, platform, wanted, become_user, comes)
    findings = [] if problems else _findings(facts, platform, wanted, comes)
    return {"platform": platform, "python_comes": comes, "problems": problems, "findings": findings}


def _problems(
    facts: Mapping[str, Any],
    platforms: Mapping[str, Any],
    platform: Mapping[str, Any],
    wanted: Wanted,
    become_user: str,
    comes: bool,
) -> list[str]:
    problems = []
    if facts["uid"] != 0:
        problems.append(not_root(become_user))
    if not platform:
        problems.append(
            f"{facts['name']} is not supported, {', '.join(platforms)} are: one of those, or a new entry in "
            "roles/preflight/vars/main/platforms.yml"
        )
    if facts["init"] != "systemd":
        problems.append(f"PID 1 is {facts['init']}, not systemd: a container without an init cannot be deployed to, a VM can")
    if (facts["systemd"] or 0) < LEAST_SYSTEMD:
        has = facts["systemd"] or "is missing"
        problems.append(f"systemd {has}, but {LEAST_SYSTEMD} is needed: upgrade the distribution")
    if platform and not comes and _version((facts["pythons"] or {}).get(platform["python"], "0")) < LEAST_PYTHON:
        needed = ".".join(map(str, LEAST_PYTHON))
        problems.append(f"no Python {needed} at {platform['python']}: apt-get install {' '.join(platform['packages'])}")
    free, needed_mb = _free_mb(facts), wanted.free_mb + (_AI_MB if wanted.mode == "ai" else 0)
    if free < needed_mb:
        problems.append(
            f"{free} MB are free in /opt or /var, but {needed_mb} are needed: apt-get clean; journalctl --vacuum-size=200M"
        )
    if abs(facts["clock_skew_s"]) > wanted.clock_skew_s:
        problems.append(
            f"its clock is {facts['clock_skew_s']} s off the controller's: timedatectl set-ntp true, "
            "or set the controller's clock"
        )
    return problems


def _findings(facts: Mapping[str, Any], platform: Mapping[str, Any], wanted: Wanted, comes: bool) -> list[str]:
    python = f"comes with {' '.join(platform['packages'])}" if comes else facts["pythons"][platform["python"]]
    return [
        f"{facts['name']}, systemd {facts['systemd']}, Python {python}, {_free_mb(facts)} MB free, "
        f"clock {facts['clock_skew_s']:+d} s",
        f"port {wanted.port} is {port_use(facts)}",
        *([_NO_NTP] if facts.get("ntp") == "no" else []),
    ]


def port_use(facts: Mapping[str, Any]) -> str:
    """Return who has the call port and what a deploy does about it, as the end of a sentence."""
    holders: Sequence[str] = facts["holders"] or ()
    names = ", ".join(holders) or "a process that ss cannot name"
    if "listening" not in facts:
        return "not looked at: the host has no ss (package iproute2)"
    if not facts["listening"]:
        return f"used for connections by {names}: nobody can listen on it before they are closed" if holders else "free"
    if any(holder.startswith("pid 1 ") for holder in holders):
        if facts["socket"] == "active":
            return "held by exotel-ws.socket of an earlier deploy"
        return "held by a socket unit of systemd (systemctl list-sockets shows which): stop that unit"
    return f"held by {names}: the deploy ends it if that is safe, or says why not"


def _free_mb(facts: Mapping[str, Any]) -> int:
    return min(int(free) for free in facts["free_mb"].values())


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
