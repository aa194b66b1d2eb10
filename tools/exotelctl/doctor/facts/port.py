"""Look at the call port: every socket that listens, and every process that holds one, ours or not."""

from dataclasses import dataclass

from exotelctl.doctor.mask import without_secrets
from exotelctl.port.facts import PortHolder


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
        """Return the sockets that our own processes hold."""
        return frozenset(inode for holder in self.holders if holder.ours for inode in holder.inodes)

    @property
    def strangers(self) -> tuple[Holder, ...]:
        """Return the processes that hold the port and should not."""
        return tuple(holder for holder in self.holders if not holder.ours)

    @property
    def ownerless(self) -> tuple[Listener, ...]:
        """Return the listeners of which no holder was seen."""
        seen = frozenset(inode for holder in self.holders for inode in holder.inodes)
        return tuple(listener for listener in self.listeners if listener.inode not in seen)

    @property
    def waiting(self) -> int:
        """Return how many connections nobody has accepted yet."""
        return sum(listener.backlog for listener in self.listeners)


def look(port: int) -> Port:
    """Look at every process, because a stranger may hold the very socket of ours."""
    from exotelctl.port.gather import HeldAs, gather  # needs psutil, which a release may lack
    from exotelctl.port.plan import is_of_us

    seen = gather(port, thorough=True)

    def holder(each: PortHolder) -> Holder:
        holds = str(HeldAs(each.bound, each.connected)) if each.bound or each.connected else ""
        unit = seen.socket_unit or "a socket unit that systemd does not name" if each.pid == 1 else each.unit
        return Holder(
            pid=each.pid,
            command=without_secrets(each.command),
            user=each.user,
            unit=unit,
            age_s=round(each.age_s, 1),
            state=each.state,
            inodes=tuple(sorted(each.inodes)),
            ours=not holds and (is_of_us(each, seen) or (each.pid == 1 and not seen.socket_unit)),
            holds=holds,
        )

    return Port(
        port=port,
        listeners=tuple(Listener(listener.shown, listener.inode, listener.waiting) for listener in seen.listeners),
        holders=tuple(holder(each) for each in seen.holders if each.inodes or each.bound or each.connected),
        as_root=seen.as_root,
        lacks=seen.lacks,
    )
