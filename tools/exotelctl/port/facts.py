"""What is known about a port at one moment. Plain data: gathered in `gather`, judged in `plan`."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket in state LISTEN. ``backlog`` is how many connections wait to be accepted."""

    family: str
    address: str
    port: int
    inode: int
    backlog: int

    @property
    def shown(self) -> str:
        """``0.0.0.0:8765`` or ``[::]:8765``."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class Parent:
    """One link of the chain above a process."""

    pid: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What makes a process itself: the pid alone is reused, together with the start (clock ticks since boot) it is not."""

    pid: int
    start_ticks: int


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """A process with a file descriptor on a listening socket.

    ``unit`` is the systemd unit whose cgroup it is in ("" for none), ``unit_state`` that unit's ActiveState ("" where
    systemd was not asked or did not say), ``user_unit`` whether a user's own manager runs it. ``parents`` begins with
    the direct parent. ``headless``: its leading thread has ended, other threads still hold the socket.
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
    headless: bool = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self.identity.pid


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """Everything the plan rests on.

    ``socket_unit`` is the systemd socket unit that listens on the port ("" for none or unknown), ``closing`` the number of
    connections in TIME_WAIT, ``connections`` that of all others. ``protected`` are this process and its ancestors.
    ``as_root`` False: the owners of other users' sockets could not be seen.
    """

    port: int
    listeners: tuple[Listener, ...]
    holders: tuple[Holder, ...]
    socket_unit: str
    closing: int
    connections: int
    protected: frozenset[int]
    as_root: bool

    @property
    def inodes(self) -> frozenset[int]:
        """The listening sockets."""
        return frozenset(listener.inode for listener in self.listeners)

    @property
    def ownerless(self) -> tuple[Listener, ...]:
        """Listeners that no visible process holds."""
        held = frozenset().union(*(holder.inodes for holder in self.holders))
        return tuple(listener for listener in self.listeners if listener.inode not in held)
