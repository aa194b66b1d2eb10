"""Look at the host itself: its file systems, its memory, its clock."""

import contextlib
import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotelctl.doctor.facts import shell
from exotelctl.doctor.facts.fact import NotSeen

NEEDED: Final = (
    "/",
    "/var/log/journal",
    "/opt/exotel-ws",
    "/etc/exotel-ws",
    "/run",
    "/run/exotel-ws",
    "/var/lib/exotel-ws",
    "/tmp",
)
_CGROUPS: Final = Path("/sys/fs/cgroup")
_TIMEX_BYTES: Final = 512
"""More than struct timex has on any architecture; only the return value and no field is used."""
_TIME_ERROR: Final = 5


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system, by the needed directories that are on it; sizes in bytes, ``inodes`` 0 where it does not count them."""

    paths: tuple[str, ...]
    size: int
    free: int
    inodes: int
    inodes_free: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes; ``limit`` names what bounds it: the machine, or the control group of a container."""

    total: int
    available: int
    limit: str


@dataclass(frozen=True, slots=True)
class Clock:
    """``synchronised`` is what the kernel says, None where it says nothing. In a ``container`` the clock is the machine's."""

    now: float
    synchronised: bool | None
    container: str


def file_systems(needed: tuple[str, ...] = NEEDED) -> list[FileSystem]:
    """Return the file systems that the server or the journal needs, each once."""
    found: dict[int, FileSystem] = {}
    for path in needed:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            device, of = os.stat(path).st_dev, os.statvfs(path)
            known = found.get(device)
            found[device] = FileSystem(
                paths=(*(known.paths if known else ()), path),
                size=of.f_blocks * of.f_frsize,
                free=of.f_bavail * of.f_frsize,
                inodes=of.f_files,
                inodes_free=of.f_favail,
                read_only=bool(of.f_flag & os.ST_RDONLY),
            )
    return list(found.values())


def memory(cgroups: Path = _CGROUPS, meminfo: Path = Path("/proc/meminfo")) -> Memory:
    """Return the memory available, of the machine or within a container's bound, whichever is less. Raises NotSeen."""
    lines = (line.partition(":") for line in shell.read(meminfo).splitlines())
    values = {name: int(rest.split()[0]) * 1024 for name, _, rest in lines if rest}
    if not {"MemTotal", "MemAvailable"} <= values.keys():
        raise NotSeen(f"{meminfo} does not say what is available")
    machine = Memory(values["MemTotal"], values["MemAvailable"], "the machine's memory")
    bound = _bound(cgroups)
    return bound if bound and bound.available < machine.available else machine


def _bound(cgroups: Path) -> Memory | None:
    try:
        most, used = int((cgroups / "memory.max").read_text()), int((cgroups / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroups / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None  # no container, or without a bound
    return Memory(most, max(0, most - used + int(stat.get("inactive_file", 0))), "this container's bound")


def clock(container: Path = Path("/run/systemd/container")) -> Clock:
    """Return the time here, and if a time service steers the kernel's clock. adjtimex without modes changes nothing."""
    synchronised: bool | None = None
    with contextlib.suppress(OSError, AttributeError):
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        synchronised = None if state < 0 else state != _TIME_ERROR
    try:
        name = container.read_text().strip()
    except OSError:
        name = ""
    return Clock(time.time(), synchronised, name)
