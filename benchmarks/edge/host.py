"""The voice server of this tree and HAProxy in front of it, in the namespace of the edge, on one core."""

import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.edge.challenges import PATH as CHALLENGE
from benchmarks.edge.haproxy import ROOT
from benchmarks.edge.network import ADDRESSES, EDGE, inside
from benchmarks.edge.rendered import Files
from benchmarks.server import CPUCLOCK_SCHED, ServerError

ADDRESS: Final = ADDRESSES[EDGE]
PORT: Final = 8765
WSS: Final = f"wss://{ADDRESS}/?sample-rate=8000"
PLAIN_WS: Final = f"ws://{ADDRESS}:{PORT}/?sample-rate=8000"
START_S: Final = 15.0
STOP_S: Final = 10.0
MB: Final = 1024.0 * 1024.0
ASK: Final = "import ssl, sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=1, context=ssl.create_default_context())"


@dataclass(frozen=True)
class Program:
    """Running program; what it uses is counted with its worker processes."""

    pid: int
    log: Path

    def pids(self) -> list[int]:
        """Return the process and its children; none if it has ended."""
        try:
            process = psutil.Process(self.pid)
            return [] if process.status() == psutil.STATUS_ZOMBIE else [self.pid, *(one.pid for one in process.children())]
        except psutil.NoSuchProcess:
            return []

    def memory_mb(self) -> float:
        """Return the resident memory of all of them in MiB."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.pids()) / MB

    def cpu_s(self) -> float:
        """Return the CPU time of all of them in seconds."""
        return sum(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED) for pid in self.pids())


@dataclass(frozen=True)
class Edge:
    """Voice server on loopback, and HAProxy in front of it."""

    server: Program
    haproxy: Program


@contextmanager
def edge(files: Files, core: int) -> Iterator[Edge]:
    """Start both for the length of the block, and what answers in certbot's place; SIGTERM ends them. Raises ServerError."""
    with ExitStack() as stack:
        server = stack.enter_context(_server(files, core, "127.0.0.1", 'proxies = ["127.0.0.1", "::1"]'))
        # Nice=-5 stands in its unit too.
        command = inside(EDGE, "nice", "-n", "-5", *files.haproxy.command("-W", "-f", str(files.configuration)), core=core)
        haproxy = stack.enter_context(_running(command, files.folder / "haproxy.log"))
        answer = inside(EDGE, sys.executable, "-m", "benchmarks.edge.challenges", "answer", files.certbot_port(), core=core)
        stack.enter_context(_running(answer, files.folder / "challenges.log"))
        _wait(haproxy, f"https://{ADDRESS}/health", files)
        _wait(haproxy, f"http://{ADDRESS}{CHALLENGE}", files)
        yield Edge(server, haproxy)


@contextmanager
def plain(files: Files, core: int) -> Iterator[Program]:
    """Start the voice server alone, on the address of the edge. Raises ServerError."""
    with _server(files, core, ADDRESS) as server:
        yield server


@contextmanager
def _server(files: Files, core: int, host: str, limits: str = "") -> Iterator[Program]:
    settings, metrics = files.folder / "settings.toml", files.folder / "metrics"
    settings.write_text(f'[auth]\nrequired = true\ncredential = "{files.credential}"\n[limits]\n{limits}\n', "utf-8")
    metrics.mkdir(exist_ok=True)
    serve = [str(Path(sysconfig.get_path("scripts")) / "exotel-ws"), "serve", "--settings", str(settings), "--host", host]
    options = ["--port", str(PORT), "--log-format", "json", "--metrics-dir", str(metrics)]
    with _running(inside(EDGE, *serve, *options, core=core), files.folder / "server.log") as server:
        _wait(server, f"http://{host}:{PORT}/health", files)
        yield server


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[Program]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Program(process.pid, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(program: Program, url: str, files: Files) -> None:
    """Wait until ``url`` answers inside of the namespace. Raises ServerError."""
    command = inside(EDGE, sys.executable, "-c", ASK, url, core=0)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and program.pids():
        if subprocess.run(command, env=files.trusting(), capture_output=True, check=False, timeout=START_S).returncode == 0:
            return
        time.sleep(0.1)
    tail = "\n".join(program.log.read_text("utf-8", "replace").splitlines()[-20:])
    raise ServerError(f"no answer from {url}; the end of {program.log}:\n{tail}")
