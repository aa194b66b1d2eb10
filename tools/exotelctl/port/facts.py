"""Hold the facts about a port at one moment. Plain data: gathered in `gather`, judged in `plan`."""

import dataclasses
from typing import Final

TIME_WAIT: Final = 6
LISTEN: Final = 10


def shown(address: str, port: int) -> str:
    """Return ``198.51.100.7:8765`` or ``[::]:8765``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclasses.dataclass(frozen=True, slots=True)
class Socket:
    """A TCP socket as the kernel tells of it.

    ``state`` is the kernel's number (`LISTEN`, `TIME_WAIT`), ``inode`` 0 where no process has the socket.
    ``waiting`` is Recv-Q: of a listener the connections to be accepted, of a connection the bytes to be read. ``peer`` is the
    address and port of a connection's other side.
    """

    family: str
    state: int
    address: str
    port: int
    inode: int
    waiting: int
    peer: str = ""

    @property
    def shown(self) -> str:
        """Return its address and port."""
        return shown(self.address, self.port)


@dataclasses.dataclass(frozen=True, slots=True)
class Parent:
    """One link of the chain above a process."""

    pid: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a process: the pid alone is reused, together with the start (clock ticks since boot) it is not."""

    pid: int
    start_ticks: int


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """Answer of a worker of ours: its main process, if it drains, its live calls."""

    pid: int
    draining: bool
    calls: int


@dataclasses.dataclass(frozen=True, slots=True)
class PortHolder:
    """A process with a file descriptor on a listening socket, or a worker of ours that finishes calls of the port.

    ``unit`` is the systemd unit whose cgroup it is in ("" for none), ``unit_state`` that unit's ActiveState ("" where
    systemd was not asked or did not say), ``user_unit`` whether a user's own manager runs it. ``parents`` begins with
    the direct parent. ``inodes`` are the listening sockets that it holds, ``accepted`` is how many connections of the port.
    ``headless``: its leading thread has ended, other threads still hold the socket. ``worker`` is what the admin socket of
    our unit says of itself; None: not ours, or it gave no answer. Where the port can't be bound though nobody listens:
    ``bound`` is the address that the process has bound without listening, ``connected`` the connection that it uses the port for.
    """

    identity: Identity
    user: str
    name: str
    command: str
    age_s: float
    state: str
    unit: str
    unit_state: str
    user_unit: bool
    parents: tuple[Parent, ...]
    inodes: frozenset[int]
    accepted: int = 0
    headless: bool = False
    worker: Worker | None = None
    bound: str = ""
    connected: str = ""

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.identity.pid


@dataclasses.dataclass(frozen=True, slots=True)
class PortFacts:
    """Everything the plan rests on.

    ``socket_unit`` is the systemd socket unit that listens on the port ("" for none or unknown), ``closing`` the number of
    connections in TIME_WAIT, ``connections`` that of all others. ``protected`` are this process and its ancestors.
    ``as_root`` False: the owners of other users' sockets could not be seen. ``everywhere`` False: PID 1 and our units
    explain all there is, so other processes were not looked at. ``lacks`` are the capabilities that root has not here and that a
    look at others needs. ``blocked`` is why the port can't be bound though nobody listens; ``reserved`` is then the kernel's
    ip_local_reserved_ports.
    """

    port: int
    listeners: tuple[Socket, ...]
    holders: tuple[PortHolder, ...]
    socket_unit: str
    closing: int
    connections: int
    protected: frozenset[int]
    as_root: bool
    everywhere: bool = True
    lacks: tuple[str, ...] = ()
    blocked: str = ""
    reserved: str = ""

    @property
    def inodes(self) -> frozenset[int]:
        """Return the listening sockets."""
        return frozenset(listener.inode for listener in self.listeners)

    @property
    def ownerless(self) -> tuple[Socket, ...]:
        """Return the listeners that no visible process holds."""
        held = frozenset().union(*(holder.inodes for holder in self.holders))
        return tuple(listener for listener in self.listeners if listener.inode not in held)

    def waiting(self, inodes: frozenset[int]) -> int:
        """Return how many connections wait on the listeners ``inodes`` to be accepted."""
        return sum(listener.waiting for listener in self.listeners if listener.inode in inodes)
