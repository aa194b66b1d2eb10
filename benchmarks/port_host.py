"""The part of `benchmarks.port` that runs on the host, as root, with the release's Python. Prints one JSON object.

It makes the crowd (processes with four connected TCP sockets each) and a stranger that holds a port, takes the times in
rounds, and ends both, also when it fails.
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from exotelctl.port.gather import gather

LIFE_S = 600
SOCKETS_EACH = 4
CALLS, STRANGER = 8765, 8009
TOOL = "exotelctl"


def main() -> None:
    """Time each case once a round; the order turns, so that none gains by its place."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    signal.alarm(LIFE_S)
    with crowd(options.processes), stranger():
        times: dict[str, list[float]] = {name: [] for name in CASES}
        names = list(CASES)
        for turn in range(options.rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                times[name].append(CASES[name]())
        print(json.dumps({"times_ms": times, "crowd": count()}))


@contextlib.contextmanager
def crowd(processes: int) -> Iterator[None]:
    """Start ``processes`` sleepers, each with two connections that it made and two that it accepted."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    children: list[int] = []
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as meeting:
            read, write = os.pipe()
            for _ in range(processes):
                child = os.fork()
                if child == 0:
                    sleeper(meeting, write)
                children.append(child)
            os.close(write)
            ready = 0
            while chunk := os.read(read, 65_536):
                ready += len(chunk)
            os.close(read)
        if ready != processes:
            raise SystemExit(f"{ready} of {processes} processes came up")
        yield
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def sleeper(meeting: socket.socket, write: int) -> None:
    """Run a child of the crowd. Never return."""
    with contextlib.suppress(OSError):
        mine = [socket.create_connection(meeting.getsockname()) for _ in range(SOCKETS_EACH // 2)]
        mine += [meeting.accept()[0] for _ in range(SOCKETS_EACH // 2)]
        meeting.close()
        os.write(write, b".")
        os.close(write)
        signal.alarm(LIFE_S)
        signal.pause()
    os._exit(1)


@contextlib.contextmanager
def stranger() -> Iterator[None]:
    """Start a process that holds a port and that no unit manages."""
    code = f"import socket, time; s = socket.create_server(('', {STRANGER})); print(flush=True); time.sleep({LIFE_S})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.kill()


def command(*argv: str) -> Callable[[], float]:
    """Run the whole command, from start to end."""

    def once() -> float:
        began = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, check=False)
        took = (time.perf_counter() - began) * 1000
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout!r}{done.stderr!r}")
        return took

    return once


def facts(port: int, *, thorough: bool = False) -> Callable[[], float]:
    """Gather the facts alone, in this process, which has everything imported."""

    def once() -> float:
        began = time.perf_counter()
        gather(port, thorough=thorough)
        return (time.perf_counter() - began) * 1000

    return once


def ours(port: int, *more: str) -> Callable[[], float]:
    """Run the whole of port-clean."""
    return command(TOOL, "port-clean", "--dry-run", "--json", "--port", str(port), *more)


CASES: dict[str, Callable[[], float]] = {
    "stranger lsof": command("lsof", "-i", f":{STRANGER}"),
    "stranger fuser": command("fuser", f"{STRANGER}/tcp"),
    "stranger command": ours(STRANGER),
    "stranger facts": facts(STRANGER),
    "unit lsof": command("lsof", "-i", f":{CALLS}"),
    "unit fuser": command("fuser", f"{CALLS}/tcp"),
    "unit command": ours(CALLS),
    "unit facts": facts(CALLS),
    "unit command, thorough": ours(CALLS, "--thorough"),
    "unit facts, thorough": facts(CALLS, thorough=True),
    "help": command(TOOL, "--help"),
}


def count() -> dict[str, int]:
    """Count the real processes, and the lines in the kernel's table of TCP sockets."""
    with open("/proc/net/tcp") as table:
        sockets = sum(1 for _ in table) - 1
    return {"processes": sum(name.isdecimal() for name in os.listdir("/proc")), "sockets": sockets}


if __name__ == "__main__":
    main()
