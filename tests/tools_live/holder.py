"""Process that holds a port in one of the ways seen in the wild. Run as a script by the tests.

usage: holder.py WAY PORT...; prints ``ready PID`` where PID is the process to find.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time

LIFE_S = 120


def listen(port: int, *, family: int = socket.AF_INET, reuse_port: bool = False, backlog: int = 16) -> socket.socket:
    it = socket.socket(family, socket.SOCK_STREAM)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    it.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
    it.listen(backlog)
    return it


def ready() -> None:
    print("ready", os.getpid(), flush=True)


def live() -> None:
    time.sleep(LIFE_S)


def plain(*ports: int) -> None:
    held = [listen(port) for port in ports]
    ready()
    live()
    del held


def ipv6(port: int) -> None:
    held = listen(port, family=socket.AF_INET6)
    ready()
    live()
    held.close()


def reuseport(port: int) -> None:
    held = listen(port, reuse_port=True)
    ready()
    live()
    held.close()


def ignores_term(port: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    plain(port)


def slow(port: int) -> None:
    """End in order half a second after SIGTERM."""

    def end(*_: object) -> None:
        time.sleep(0.5)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    plain(port)


def closes_its_listener(port: int) -> None:
    """Close the listener on SIGTERM and live on, as a draining server does."""
    held = listen(port)
    signal.signal(signal.SIGTERM, lambda *_: held.close())
    ready()
    wait()


def orphan(port: int) -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    while os.getppid() != 1:
        time.sleep(0.01)
    plain(port)


def leaks_to_child(port: int) -> None:
    """End as a server whose innocent-looking helper keeps the inherited socket."""
    held = listen(port)
    held.set_inheritable(True)
    child = os.fork()
    if child == 0:
        ready()
        os.execvp("sleep", ["sleep", str(LIFE_S)])
    os._exit(0)


def prefork(port: int) -> None:
    """Share the socket with a child, restart it whenever it ends, and ignore SIGTERM."""
    held = listen(port)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    said = False
    while True:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            live()
        if not said:  # only now, because before its first child one process holds the port, not two
            ready()
            said = True
        os.waitpid(child, 0)
        held.fileno()


def headless(port: int) -> None:
    """End the leading thread while a second one lives on: the process looks like a zombie and holds the port."""
    held = listen(port)

    def stay() -> None:
        while state_of_leader() != "Z":
            time.sleep(0.01)
        ready()
        live()
        held.close()

    threading.Thread(target=stay).start()
    ctypes.CDLL(None).syscall(60, 0)  # exit(2) of this thread alone, on x86-64


def state_of_leader() -> str:
    with open(f"/proc/{os.getpid()}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def record_signals() -> None:
    """Write down every signal that can be caught, except for ended children."""
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, lambda number, _frame: print("signal", number, flush=True))


def client(port: int) -> None:
    """Connect to the port, as a bystander does."""
    record_signals()
    with socket.create_connection(("127.0.0.1", port)):
        ready()
        wait()


def only_bound(port: int) -> None:
    """Bind the port without listening."""
    held = socket.socket()
    held.bind(("127.0.0.1", port))
    ready()
    wait()
    held.close()


def outgoing(port: int) -> None:
    """Use the port as the local one of an outgoing connection, as the kernel gives one out to a client."""
    server = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(server.getsockname(), source_address=("127.0.0.1", port)):
        ready()
        wait()


def decoy(port: int) -> None:
    """Hold another port under the same name, as a bystander."""
    record_signals()
    held = listen(port)
    ready()
    wait()
    held.close()


def family(port: int) -> None:
    """Run a server between two bystanders, its parent and a child without the socket. It takes connections."""
    relatives(port, accepting=True)


def hangs(port: int) -> None:
    """Run the same family, but take no connection."""
    relatives(port, accepting=False)


def relatives(port: int, *, accepting: bool) -> None:
    if os.fork():
        record_signals()
        wait()
        return
    if os.fork() == 0:
        record_signals()
        wait()
        return
    held = listen(port)  # after the fork: the child never has it, not even for a moment
    ready()
    taken = []
    while accepting:
        taken.append(held.accept())
    live()


def supervised(port: int) -> None:
    """Run a server below a parent that looks like PM2."""
    with open("/proc/self/comm", "w") as name:
        name.write("PM2 v5.3.0: God")
    if os.fork() == 0:
        with open("/proc/self/comm", "w") as name:
            name.write("node")
        plain(port)
    live()


def intruder(_port: int) -> None:
    """Keep the socket that systemd passed to the service, leave the service's cgroup, and accept on SIGUSR1."""
    held = socket.socket(fileno=3)
    cgroup = "/sys/fs/cgroup/intruder.scope"
    os.makedirs(cgroup, exist_ok=True)
    with open(f"{cgroup}/cgroup.procs", "w") as processes:
        processes.write(str(os.getpid()))
    if os.fork():
        os._exit(0)
    taken: list[object] = []

    def take(*_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            taken.append(held.accept())
            print("took", flush=True)

    signal.signal(signal.SIGUSR1, take)
    ready()
    wait()


def wait() -> None:
    """Live on as `live` does, even after a handled signal."""
    for _ in range(LIFE_S * 10):
        time.sleep(0.1)


if __name__ == "__main__":
    globals()[sys.argv[1]](*map(int, sys.argv[2:]))
