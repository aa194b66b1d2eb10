"""Who listens on the call port: every socket, and every process that holds one, ours or not."""

import shlex
import time
from dataclasses import dataclass

from exotelctl.doctor.mask import without_secrets
from exotelctl.port import process, sockets, units
from exotelctl.privileges import is_root, lacking


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket in state LISTEN; ``backlog`` connections wait to be accepted (Recv-Q)."""

    address: str
    inode: int
    backlog: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Process that holds one of the sockets. ``ours``: systemd for exotel-ws.socket, or a worker of exotel-ws@.service.

    ``holds`` describes a socket that keeps others from the port without listening on it.
    """

    pid: int
    command: str
    user: str
    unit: str
    age_s: float
    state: str
    inodes: tuple[int, ...]
    ours: bool
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """Sockets of a port. ``as_root`` False: other users' processes are unseen; ``lacks``: capabilities that this root lacks."""

    port: int
    listeners: tuple[Listener, ...]
    holders: tuple[Holder, ...]
    as_root: bool
    lacks: tuple[str, ...] = ()

    @property
    def held(self) -> frozenset[int]:
        """The sockets that our own processes hold."""
        return frozenset(inode for holder in self.holders if holder.ours for inode in holder.inodes)

    @property
    def strangers(self) -> tuple[Holder, ...]:
        """Those who hold the port and should not."""
        return tuple(holder for holder in self.holders if not holder.ours)

    @property
    def ownerless(self) -> tuple[Listener, ...]:
        """Listeners of which no holder was seen."""
        seen = frozenset(inode for holder in self.holders for inode in holder.inodes)
        return tuple(listener for listener in self.listeners if listener.inode not in seen)

    @property
    def waiting(self) -> int:
        """Connections that nobody has accepted yet."""
        return sum(listener.backlog for listener in self.listeners)


def look(port: int) -> Port:
    """All of /proc is searched, for a stranger may hold the very socket of ours."""
    every = sockets.on_port(port)
    found = every.listeners
    inodes = frozenset(listener.inode for listener in found)
    held = process.holding(process.pids(), inodes) if inodes else {}
    socket_unit = units.socket_unit(port) if 1 in held else ""
    seen = [_holder(pid, has, socket_unit) for pid, has in sorted(held.items())]
    from exotelctl.port.gather import blockers, why_not  # needs psutil, which a release may lack

    if not found and why_not(port):
        seen += [_holder(pid, frozenset(), "", holds=str(how)) for pid, how in blockers(port, every).items()]
    return Port(
        port=port,
        listeners=tuple(Listener(listener.shown, listener.inode, listener.backlog) for listener in found),
        holders=tuple(holder for holder in seen if holder),
        as_root=is_root(),
        lacks=lacking("CAP_SYS_PTRACE") if is_root() else (),
    )


def _holder(pid: int, inodes: frozenset[int], socket_unit: str, holds: str = "") -> Holder | None:
    """The facts of one process; None where it ended meanwhile."""
    import psutil

    try:
        seen = psutil.Process(pid)
        with seen.oneshot():
            argv, state, user, began = seen.cmdline(), str(seen.status()), seen.username(), seen.create_time()
            name = seen.name()
    except psutil.ZombieProcess:
        argv, state, user, began, name = [], "zombie", "", time.time(), f"pid {pid}"
    except psutil.Error:
        return None
    unit = units.of_cgroup(process.cgroup_text(pid)).name
    if pid == 1:
        unit = socket_unit or "a socket unit that systemd does not name"
    return Holder(
        pid=pid,
        command=without_secrets(shlex.join(argv) if argv else f"[{name}]"),
        user=user,
        unit=unit,
        age_s=round(max(0.0, time.time() - began), 1),
        state=state,
        inodes=tuple(sorted(inodes)),
        holds=holds,
        ours=not holds and socket_unit in ("", units.OUR_SOCKET) if pid == 1 else not holds and units.is_ours(unit),
    )
