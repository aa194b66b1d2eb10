"""Find the name or address of a host that an inventory means, for callers and for SSH."""

from __future__ import annotations

import ipaddress
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from .edge import PORT_OF_WSS

_SSH = ("ssh", "smart", "ansible.builtin.ssh", "paramiko", "paramiko_ssh")
_SSH_CONFIG_TIMEOUT_S = 10.0


def host(variables: Mapping[str, Any], public_host: str, ssh_args: str) -> str:
    """Return the name or address to call a host by, without brackets.

    `public_host` goes first, then the address of the inventory, then the inventory's name, both as SSH understands them: an
    alias of ``~/.ssh/config`` becomes its ``HostName``. `variables` are those of the host itself, never of a delegate.
    """
    if public_host:
        return bare(public_host)
    said = str(variables.get("ansible_host") or variables.get("ansible_ssh_host") or variables["inventory_hostname"])
    if is_address(said) or str(variables.get("ansible_connection") or "ssh") not in _SSH:
        return bare(said)
    arguments = " ".join(str(variables.get(f"ansible_ssh_{kind}_args") or "") for kind in ("common", "extra"))
    program = str(variables.get("ansible_ssh_executable") or "ssh")
    return bare(ssh_host_name(said, f"{variables.get('ansible_ssh_args') or ssh_args} {arguments}", program))


def bare(name: str) -> str:
    """Return `name` without the brackets that an IPv6 address has in a URL."""
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def in_url(name: str) -> str:
    """Return `name` as written in a URL: an IPv6 address in brackets."""
    return f"[{name}]" if ":" in name else name


def call_url(name: str, port: int, paths: Sequence[str], *, tls: bool = False) -> str:
    """Return the URL of calls to the host `name`, with the first of the server's `paths`; ``wss://`` with `tls`."""
    path = paths[0] if paths else ""
    if tls:
        return f"wss://{in_url(name)}{'' if port == PORT_OF_WSS else f':{port}'}{path}"
    return f"ws://{in_url(name)}:{port}{path}"


def applet_url(url: str, sample_rate: int, *, credential: bool) -> str:
    """Return `url` as Exotel's applet needs it, with ``USER:TOKEN@`` in place of a `credential`; `sample_rate` is in Hz."""
    shown = url.replace("://", "://USER:TOKEN@", 1) if credential else url
    return f"{shown}?sample-rate={sample_rate}"


def is_address(name: str) -> bool:
    """Return True if `name` is an IP address, not a name to look up."""
    try:
        ipaddress.ip_address(bare(name))
    except ValueError:
        return False
    return True


@cache
def ssh_host_name(name: str, arguments: str, program: str = "ssh") -> str:
    """Return the ``HostName`` that SSH's configuration gives for `name`, else `name`."""
    try:
        done = subprocess.run(
            [program, *shlex.split(arguments), "-G", "--", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SSH_CONFIG_TIMEOUT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return name
    found = [line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("hostname ")]
    return found[0] if done.returncode == 0 and found else name
