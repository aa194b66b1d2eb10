"""Check whose server it is: traffic that a stranger would call an attack goes to our own machines only."""

import dataclasses
import ipaddress
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

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
    hosts = _inventory_hosts(inventory) if inventory else set()
    own = _own_addresses().union(*map(_addresses, hosts))
    strange = sorted(address for address in asked if not ipaddress.ip_address(address).is_loopback and address not in own)
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


def _own_addresses() -> set[str]:
    import psutil

    return {entry.address for entries in psutil.net_if_addrs().values() for entry in entries}


class _Group(msgspec.Struct):
    """A group of ``ansible-inventory --list``, or its ``_meta``, which has the variables of the hosts."""

    hosts: list[str] = []
    hostvars: dict[str, dict[str, object]] = {}


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
    groups = msgspec.json.decode(done.stdout, type=dict[str, _Group]).values()
    variables = {name: known for group in groups for name, known in group.hostvars.items()}
    names = {name for group in groups for name in group.hosts} | set(variables)
    return {str(variables.get(name, {}).get("ansible_host") or name) for name in names}
