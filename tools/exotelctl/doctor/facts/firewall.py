"""Read the packet filter's rules as the kernel has them: nftables as JSON, and the tables of iptables."""

import json
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from exotelctl.doctor.facts import shell
from exotelctl.doctor.facts.fact import NotSeen

_NETFILTER: Final = 12
_GET_TABLE: Final = 10 << 8 | 1
_REQUEST_DUMP: Final = 0x301
_ERROR, _DONE = 2, 3
_LEGACY: Final = Path("/proc/net/ip_tables_names")


@dataclass(frozen=True, slots=True)
class Firewall:
    """``nft`` is the ``nftables`` array of ``nft --json list ruleset``, ``iptables`` what the iptables-save commands print.

    ``nft_tables`` is how many tables the kernel itself says it has (None: it did not say), ``legacy_tables`` the names of
    iptables' old kind. ``unread`` is why rules that exist could not be read. ``outside`` are the interfaces of the default route.
    """

    nft_tables: int | None
    legacy_tables: tuple[str, ...]
    nft: tuple[dict[str, Any], ...] = ()
    iptables: str = ""
    unread: str = ""
    needs: str = ""
    outside: tuple[str, ...] = ()


def look(proc_net: Path = Path("/proc/net")) -> Firewall:
    """Read every rule. Raises NotSeen for another user than root."""
    shell.require_root("firewall rules")
    tables, legacy = count_tables(), _legacy_tables()
    nft: tuple[dict[str, Any], ...] = ()
    iptables, unread, needs = "", "", ""
    try:
        if tables != 0:
            nft = tuple(json.loads(shell.ask("nft", "--json", "list", "ruleset"))["nftables"])
        if has_foreign(nft):
            iptables += shell.ask("iptables-save")
        if legacy:
            iptables += shell.ask("iptables-legacy-save")
    except NotSeen as not_seen:
        unread, needs = str(not_seen), not_seen.needs
    except (ValueError, KeyError) as error:
        unread = f"nft --json list ruleset: {error}"
    return Firewall(tables, legacy, nft, iptables, unread, needs, outside_interfaces(proc_net))


def has_foreign(nft: tuple[dict[str, Any], ...]) -> bool:
    """Return True if it has rules that only iptables can spell (``xt``)."""
    rules = [item["rule"] for item in nft if "rule" in item]
    return any("xt" in statement for rule in rules for statement in rule.get("expr", ()) if isinstance(statement, dict))


def count_tables() -> int | None:
    """Ask the kernel how many nftables tables this network namespace has; ``nft`` need not be installed.

    None where the kernel gives no answer. A kernel without nftables has none.
    """
    ask = struct.pack("=LHHLL", 20, _GET_TABLE, _REQUEST_DUMP, 1, 0) + struct.pack("=BBH", 0, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as kernel:
            kernel.settimeout(1.0)
            kernel.send(ask)
            return _count(kernel)
    except OSError:
        return None


def _count(kernel: socket.socket) -> int | None:
    count = 0
    while True:
        data = kernel.recv(65536)
        while len(data) >= 16:
            length, kind = struct.unpack_from("=LH", data)
            if kind == _DONE:
                return count
            if kind == _ERROR:
                # EINVAL or EOPNOTSUPP: a kernel without nftables. EPERM: it may be full of rules.
                error = -int(struct.unpack_from("=l", data, 16)[0])
                return 0 if error in (22, 95) else None
            count += 1
            data = data[max(16, (length + 3) & ~3) :]


def _legacy_tables() -> tuple[str, ...]:
    try:
        return tuple(_LEGACY.read_text().split())
    except OSError:
        return ()  # a kernel without it has no such tables


def outside_interfaces(proc_net: Path) -> tuple[str, ...]:
    """Return the interfaces of the default route: where calls come in."""
    try:
        rows = [line.split() for line in (proc_net / "route").read_text().splitlines()[1:]]
    except OSError:
        return ()
    return tuple(dict.fromkeys(row[0] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"))
