"""Ask HAProxy through its admin socket, bounded in bytes and time, and understand what it prints."""

import contextlib
import csv
import ipaddress
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MASTER: Final = Path("/run/haproxy-master.sock")
"""Socket of the master process, where Debian's unit puts it."""
_MOST_BYTES: Final = 8 << 20
_TIMEOUT_S: Final = 2.0
_UPTIME: Final = re.compile(r"(\d+)d(\d+)h(\d+)m(\d+)s")
_TABLE: Final = re.compile(
    r"^# table: (?P<name>[^,]+), type: (?P<type>\w+), size:(?P<size>\d+), used:(?P<used>\d+)", re.MULTILINE
)
_ENTRY: Final = re.compile(r"^0x[0-9a-f]+: key=(\S+) (.*)$", re.MULTILINE)
_FAULTS: Final = ("unknown command", "permission denied", "no such table", "can't ")


class Silent(Exception):
    """HAProxy gave no usable answer; the text says what came instead, ``needs_root`` that root may get one."""

    def __init__(self, why: str, *, needs_root: bool = False) -> None:
        super().__init__(why)
        self.needs_root = needs_root


@dataclass(frozen=True, slots=True)
class Entry:
    """Entry of a stick table: its ``key``, how long it is still kept, and its counters by name, without their period."""

    key: str
    left_s: float
    values: dict[str, int]


@dataclass(frozen=True, slots=True)
class Table:
    """Stick table, with the entries that were asked for."""

    name: str
    type: str
    size: int
    used: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """Process of HAProxy. ``old``: it takes no new connection and ends after its last one."""

    pid: int
    reloads: int
    uptime_s: float
    old: bool


def ask(where: Path, command: str, *, most: int = _MOST_BYTES, timeout_s: float = _TIMEOUT_S) -> str:
    """Return the answer to one ``command``. Raises Silent without one of at most ``most`` bytes within ``timeout_s`` in all,
    and where HAProxy refuses the command.
    """
    deadline = time.monotonic() + timeout_s
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as talk:
            talk.settimeout(timeout_s)
            talk.connect(str(where))
            talk.sendall(f"{command}\n".encode())
            talk.shutdown(socket.SHUT_WR)  # or the master waits for more, and its answer has no end
            answer = _read(talk, most, deadline)
    except FileNotFoundError:
        raise Silent(f"there is no socket {where}: HAProxy does not run, or has another configuration") from None
    except ConnectionRefusedError:
        raise Silent(f"nobody listens at {where}: HAProxy does not run") from None
    except PermissionError:
        raise Silent(f"{where} answers root only", needs_root=True) from None
    except TimeoutError:
        raise Silent(f"HAProxy did not answer `{command}` at {where} within {timeout_s:g} s") from None
    except OSError as error:
        raise Silent(f"{where}: {error.strerror or error}") from None
    first = answer.strip().partition("\n")[0]
    if first.lower().startswith(_FAULTS):
        raise Silent(f"HAProxy refused `{command}`: {first[:200]}")
    return answer


def _read(talk: socket.socket, most: int, deadline: float) -> str:
    parts: list[bytes] = []
    size = 0
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        talk.settimeout(left_s)
        part = talk.recv(65536)
        if not part:
            return b"".join(parts).decode(errors="replace")
        parts.append(part)
        size += len(part)
        if size > most:
            raise Silent(f"HAProxy answered more than {most >> 10} KiB")


def fields(text: str) -> dict[str, str]:
    """Return the lines ``Name: value`` of ``show info`` and ``show ssl cert FILE``."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon and name.strip()}


def stat(text: str) -> list[dict[str, str]]:
    """Return the rows of ``show stat``, each by the names of the columns."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# pxname,"):
        raise Silent("HAProxy's `show stat` is no table with a head")
    return list(csv.DictReader([lines[0].removeprefix("# "), *lines[1:]]))


def tables(text: str) -> list[Table]:
    """Return the stick tables of ``show table`` or ``show table NAME …``, with the entries that are shown of them.

    Of a key that a table does not have HAProxy shows nothing, not even the table.
    """
    heads = list(_TABLE.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    return [
        Table(head["name"], head["type"], int(head["size"]), int(head["used"]), tuple(_entries(text[head.end() : end])))
        for head, end in zip(heads, ends, strict=True)
    ]


def table(text: str) -> Table:
    """Return the one stick table of ``show table NAME …``. Raises Silent for another answer."""
    found = tables(text)
    if len(found) != 1:
        raise Silent(f"HAProxy's `show table` says {text.strip()[:80]!r}")
    return found[0]


def _entries(text: str) -> Iterator[Entry]:
    for said in _ENTRY.finditer(text):
        words = (word.partition("=") for word in said[2].split())
        values = {name.partition("(")[0]: int(value) for name, _, value in words if value.isdecimal()}
        yield Entry(source(said[1]), values.pop("exp", 0) / 1000, values)


def source(key: str) -> str:
    """Return the address of a key: the tables are of IPv6, and have IPv4 as ``::ffff:192.0.2.1``."""
    return key.removeprefix("::ffff:") if "." in key else key


def key(source: str) -> str:
    """Return the key under which the tables have ``source``: of IPv6 its network of 64 bits. Raises ValueError for no address."""
    address = ipaddress.ip_address(source)
    if isinstance(address, ipaddress.IPv4Address):
        return f"::ffff:{address}"
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)).network_address)


def counted_as(address: str) -> str:
    """Return the source as which the tables count ``address``; a text that is no address stays as it is."""
    try:
        return source(key(address.partition("%")[0]))
    except ValueError:
        return address


def processes(text: str) -> list[Process]:
    """Return the workers of ``show proc``, as the master knows them."""
    found, section = [], ""
    for line in text.splitlines():
        if line.startswith("#"):
            section = line[1:].strip()
            continue
        words = line.split()
        if section.endswith("workers") and len(words) > 3 and words[1] == "worker":
            found.append(Process(int(words[0]), _number(words[2]), _uptime(line), old=section.startswith("old")))
    return found


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _uptime(line: str) -> float:
    said = _UPTIME.search(line)
    days, hours, minutes, seconds = map(int, said.groups()) if said else (0, 0, 0, 0)
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
