"""A server under test: started on its own core, its CPU time and memory read, ended by its pid."""

import http.client
import json
import os
import platform
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

START_S = 15.0
STOP_S = 10.0
NODE_DIR = Path(__file__).parent / "node"
CPUCLOCK_SCHED = 2
SERVERS = ["node", "picows", "websockets"]
UNBOUNDED = """
[limits]
messages_per_s = 1e6
messages_burst = 1_000_000_000
bytes_per_s = 1_000_000_000
bytes_burst = 1_000_000_000
media_timeout_s = 3600
"""
"""Settings for load that no telephone causes: calls that send as soon as they are answered, or wait for their turn."""


class ServerError(Exception):
    """Error of a server that did not start; the text ends with the last lines of its log."""


@dataclass(frozen=True)
class Server:
    """Running server: its address, and its CPU time and memory so far."""

    name: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        """Return the URL that a call connects to."""
        return f"ws://127.0.0.1:{self.port}/?sample-rate=8000"

    def cpu_s(self) -> float:
        """Return the CPU time since the start in seconds, user and system, all threads.

        Reads the process's CPU clock, clock_getcpuclockid(3); the figures in /proc come in steps of 10 ms.
        """
        return time.clock_gettime(~self.pid << 3 | CPUCLOCK_SCHED)

    def memory_kib(self) -> float:
        """Return the process's memory (PSS) in KiB."""
        return float(psutil.Process(self.pid).memory_full_info().pss) / 1024


def _command(name: str, port: int, scratch: Path) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(port)]
    if name == "node":
        return ["node", str(NODE_DIR / "echo.js"), *where]
    settings = scratch / "settings.toml"
    settings.write_text(UNBOUNDED, "utf-8")
    exotel_ws = Path(sysconfig.get_path("scripts")) / "exotel-ws"
    return [
        *(str(exotel_ws), "serve", "--settings", str(settings), "--mode", "echo", "--engine", name, *where),
        *("--log-format", "json", "--metrics-dir", str(scratch / "metrics")),
    ]


def install_node_peer() -> None:
    """Install the Node server's one dependency, as locked, unless it is there. Raises CalledProcessError."""
    if not (NODE_DIR / "node_modules" / "ws").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE_DIR, check=True, timeout=120)


def versions() -> dict[str, str]:
    """Return the versions of the servers' interpreters and libraries, by name."""
    node = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True, timeout=10).stdout
    ws = json.loads((NODE_DIR / "node_modules" / "ws" / "package.json").read_text())
    ours = {name: metadata.version(name) for name in ("picows", "uvloop", "websockets")}
    return {"Python": platform.python_version(), **ours, "Node": node.strip().removeprefix("v"), "ws": ws["version"]}


@contextmanager
def running(name: str, core: int, port: int, scratch: Path) -> Iterator[Server]:
    """Start the server `name` on `core`, listening on `port`, for the length of the block. `scratch` takes its log.

    Raises ServerError when /health is not answered within 15 s. It gets SIGTERM at the end, and SIGKILL 10 s later.
    """
    with launched(name, _command(name, port, scratch), [core], port, scratch) as server:
        yield server


@contextmanager
def launched(
    name: str,
    command: list[str],
    cores: list[int],
    port: int,
    scratch: Path,
    *,
    start_s: float = START_S,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start any `command` on any `cores`, as `running` does; `env` is added to the environment."""
    (scratch / "metrics").mkdir()
    log = scratch / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", ",".join(map(str, cores)), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NODE_ENV": "production", **(env or {})},
        )
    try:
        _healthy(process, port, log, start_s)
        yield Server(name, port, process.pid)
    finally:
        _stop(process)


def _healthy(process: subprocess.Popen[bytes], port: int, log: Path, start_s: float) -> None:
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            health = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            health.request("GET", "/health")
            if health.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise ServerError(f"no healthy server on 127.0.0.1:{port} after {process.args!r}; the end of {log}:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
