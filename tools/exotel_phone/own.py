"""Check whose server it is: traffic that a stranger would call an attack goes to our own machines only."""

import dataclasses
import ipaddress
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from exotel_phone.command import command
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.target import Target

_RESOLVE_INVENTORY_S = 30.0


def require_own(target: Target, i_own_this_server: bool, inventory: Path | None = None) -> Target:
    """Return ``target`` with checked addresses: each is loopback, this machine's, or that of a host in ``inventory``.

    ``inventory`` is a file or directory of Ansible's. ``i_own_this_server`` is the user's own word for it: nothing is checked.
    Raises Refusal if an address is another's or the name does not resolve, UsageFault if the inventory can't be read.
    """
    if i_own_this_server:
        return target
    asked = _addresses(target.host)
    if not asked:
        raise Refusal(
            f"{target.host} does not resolve now, so nobody knows whose it is: {command('getent', 'hosts', target.host)}"
        )
    own = _own_addresses() | (_inventory_addresses(inventory) if inventory else set())
    strange = sorted(address for address in asked if not _is_loopback(address) and address not in own)
    if strange:
        who = target.host if strange == [target.host] else f"{target.host} ({', '.join(strange)})"
        raise Refusal(f"{who} is neither this machine nor a host of --inventory: if the server is yours say --i-own-this-server")
    return dataclasses.replace(target, addresses=tuple(asked))


def _addresses(host: str) -> list[str]:
    """Return the addresses in the order in which they are to be tried; none if the name does not resolve."""
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _own_addresses() -> set[str]:
    import psutil

    return {entry.address for entries in psutil.net_if_addrs().values() for entry in entries}


def _inventory_addresses(inventory: Path) -> set[str]:
    names = _inventory_hosts(inventory)
    return {address for name in names for address in _addresses(name)}


def _inventory_hosts(inventory: Path) -> set[str]:
    """Return the names, and ``ansible_host`` where it is set, as Ansible itself reads them."""
    beside = Path(sys.executable).with_name("ansible-inventory")
    command = str(beside) if beside.exists() else shutil.which("ansible-inventory")
    if command is None:
        raise UsageFault("--inventory needs ansible-inventory, which is not installed here: type it on the controller")
    if not inventory.exists():
        raise UsageFault(f"--inventory {inventory}: there is no such file")
    try:
        done = subprocess.run(
            [command, "-i", str(inventory), "--list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RESOLVE_INVENTORY_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageFault(f"--inventory {inventory}: ansible-inventory did not answer: {error}") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["ansible-inventory can't read it"]
        raise UsageFault(f"--inventory {inventory}: {said[-1]}")
    return set(_hosts(json.loads(done.stdout)))


def _hosts(document: dict[str, dict[str, object]]) -> Iterable[str]:
    hostvars = document.get("_meta", {}).get("hostvars")
    variables: dict[str, dict[str, object]] = hostvars if isinstance(hostvars, dict) else {}
    grouped = {name for group in document.values() for name in _members(group)}
    for name in grouped | set(variables):
        yield str(variables.get(name, {}).get("ansible_host") or name)


def _members(group: dict[str, object]) -> list[str]:
    hosts = group.get("hosts")
    return [str(name) for name in hosts] if isinstance(hosts, list) else []
