"""A network of its own for the benchmark: a bridge, the edge's host, the callers, and strangers with 32,768 addresses.

All of it lives in network namespaces, the bridge too, so that the machine's own network and packet filter neither see nor
touch it, and it is gone when the namespaces are.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

EDGE: Final = "exobench-edge"
CALLERS: Final = "exobench-callers"
STRANGERS: Final = "exobench-strangers"
BRIDGE: Final = "exobench-bridge"
ADDRESSES: Final = {EDGE: "198.19.0.1", CALLERS: "198.19.0.2", STRANGERS: "198.19.0.3"}
"""Addresses of the network for benchmarks (RFC 2544) that the lab's hosts do not have."""
SOURCES: Final = {CALLERS: "198.19.64.0/18", STRANGERS: "198.19.128.0/17"}
"""Networks whose every address a process in the namespace may connect from."""
FIRST_SOURCE: Final = "198.19.128.0"
SOURCE_COUNT: Final = 1 << 15
LOCK: Final = Path("/run/exotel-bench-edge.lock")
COMMAND_S: Final = 10.0


class NetworkError(Exception):
    """Error of a network that could not be made; the text says why."""


@contextmanager
def network() -> Iterator[None]:
    """Make the network for the length of the block. Raises NetworkError, also if another benchmark has it."""
    if os.geteuid() != 0:
        raise NetworkError("network namespaces need root: sudo make bench-edge")
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NetworkError(f"another benchmark of the edge runs (it holds {LOCK})") from None
        _remove()  # what a run that was killed has left
        try:
            _make()
            yield
        finally:
            _remove()
            LOCK.unlink()


def inside(namespace: str, *command: str, core: int) -> list[str]:
    """Return ``command`` as one that runs in ``namespace`` on ``core``, and is ended when this process is."""
    prefix = ["setpriv", "--pdeathsig", "TERM", "nsenter", f"--net=/run/netns/{namespace}"]
    return [*prefix, "taskset", "--cpu-list", str(core), *command]


def _make() -> None:
    _ip("netns", "add", BRIDGE)
    _ip("-n", BRIDGE, "link", "add", "bridge0", "type", "bridge")
    _ip("-n", BRIDGE, "link", "set", "bridge0", "up")
    for namespace, address in ADDRESSES.items():
        port = namespace.removeprefix("exobench-")
        _ip("netns", "add", namespace)
        _ip("-n", BRIDGE, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("-n", BRIDGE, "link", "set", port, "master", "bridge0", "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "address", "add", f"{address}/18", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
    for namespace, sources in SOURCES.items():
        _ip("-n", namespace, "route", "add", "local", sources, "dev", "lo")
        _ip("-n", EDGE, "route", "add", sources, "via", ADDRESSES[namespace])


def _remove() -> None:
    there = _ip("netns", "list")
    for namespace in (*ADDRESSES, BRIDGE):
        if namespace in there.split():
            _ip("netns", "delete", namespace)


def _ip(*words: str) -> str:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, check=False, text=True, timeout=COMMAND_S)
    except OSError as error:
        raise NetworkError(f"the command ip cannot be run ({error.strerror}): apt install iproute2") from None
    if done.returncode:
        raise NetworkError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
