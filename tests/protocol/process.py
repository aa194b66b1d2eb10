"""The server as a process: settings in, logs, metrics and memory out."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
from prometheus_client.parser import text_string_to_metric_families

from .phone import RawClient

START_S = 60.0
"""Time for a server to answer /health; without an answer it has failed to start."""

Value = TypeVar("Value")


def eventually(probe: Callable[[], Value], what: str, within_s: float = 30.0) -> Value:
    """Ask until the answer is true, and return it. Fail after a bounded time, naming ``what`` was waited for."""
    until = time.monotonic() + within_s
    while not (value := probe()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.02)
    return value


def toml(settings: dict[str, Any]) -> str:
    """Return the text of a settings file. JSON's scalars and lists are TOML's."""
    top = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if not isinstance(value, dict)]
    for name, table in settings.items():
        if isinstance(table, dict):
            top += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(top) + "\n"


class ServerProcess:
    """Process of `exotel-ws serve` with its settings file. `start` waits until it answers."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        *arguments: str,
        environment: dict[str, str] | None = None,
        listener: socket.socket | None = None,
        most_files: int | None = None,
        hard_files: int | None = None,
    ) -> None:
        """``listener`` is passed as systemd passes a socket; ``most_files`` is the soft limit of open files.

        ``hard_files`` is the hard limit, which the server can't raise.

        Every line is logged, unless ``settings`` bound that: the tests' calls are too short to prove themselves.
        """
        settings = {**settings, "log": {"stranger_lines_s": 10_000, "stranger_burst": 100_000} | settings.get("log", {})}
        folder.mkdir(parents=True, exist_ok=True)
        # Tests look at metrics more often than a monitoring system; by default they need not wait a second each time.
        settings = settings | {"limits": {"metrics_interval_s": 0.02} | settings.get("limits", {})}
        self.log_file = folder / "stderr"
        (folder / "settings.toml").write_text(toml(settings))
        self._listener = listener
        self._loads_models = settings.get("mode") == "ai"
        self._start_s = 120.0 if self._loads_models else START_S  # as long as the unit's TimeoutStartSec=
        serve = [sys.executable, "-m", "exotel_ws", "serve", "--settings", str(folder / "settings.toml"), *arguments]
        prefix: list[str] = []
        if most_files:
            prefix += ["prlimit", f"--nofile={most_files}:", "--"]
        if hard_files:
            prefix += ["prlimit", f"--nofile={hard_files}:{hard_files}", "--"]
        if listener:
            # systemd's protocol wants the pid of the very process that serves: the shell becomes it.
            prefix += ["bash", "-c", f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "bash"]
        else:
            serve += ["--host", "127.0.0.1", "--port", "0"]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, *serve],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {}),
                pass_fds=[listener.fileno()] if listener else [],
            )
        self.port = listener.getsockname()[1] if listener else 0

    def start(self) -> "ServerProcess":
        try:
            self.port = self.port or eventually(self._listening_port, "a listening port", self._start_s)
            # A shared port is answered by any worker: this one has to say that it runs.
            eventually(self._running if self._listener else self._healthy, "the server answers", self._start_s)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}; its log:\n{self.log()}") from None
        return self

    def _alive(self) -> None:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}")

    def _running(self) -> bool:
        self._alive()
        return "running!" in self.log()

    def _healthy(self) -> bool:
        self._alive()
        try:
            return self.fetch("/health")[0] == 200
        except (EOFError, OSError):
            return False

    def _listening_port(self) -> int:
        self._alive()
        if self._loads_models:  # its scripted flow listens too, and first
            said = re.search(r"Health Check: http://127\.0\.0\.1:(\d+)/", self.log())
            return int(said[1]) if said else 0
        sockets = psutil.Process(self.process.pid).net_connections("tcp")
        return next((found.laddr.port for found in sockets if found.status == psutil.CONN_LISTEN), 0)

    def url(self, target: str = "/?sample-rate=8000", credential: str = "") -> str:
        return f"ws://{credential and credential + '@'}127.0.0.1:{self.port}{target}"

    def raw(self, **options: Any) -> RawClient:
        return RawClient(self.port, **options)

    def fetch(self, target: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a GET to the call port and return status, headers and body."""
        with self.raw() as client:
            return client.fetch(target, *headers)

    def metrics(self) -> dict[str, float]:
        """Return every sample of /metrics, e.g. ``{'exotel_ws_frames_total{direction="in"}': 3.0}``."""
        return samples(self.fetch("/metrics")[2].decode())

    def metric(self, name: str) -> float:
        return self.metrics()[f"exotel_ws_{name}"]

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        return eventually(lambda: re.search(pattern, self.log()), f"{pattern!r} in the log; it holds:\n{self.log()[-3000:]}")

    def call_log(self, stream_sid: str) -> list[str]:
        """Return the log lines of the connection that carried this stream, without their ``[conn_…]``."""
        conn = self.wait_for_log(rf"\[(conn_\w+)\]    Stream SID: {re.escape(stream_sid)}\n")
        prefix = f"[{conn[1]}] "
        return [line.removeprefix(prefix) for line in self.log().splitlines() if line.startswith(prefix)]

    def fields(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines about ``event``, each with its fields; for a server with ``--log-format json``."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if line.get("event") == event]

    def memory(self) -> int:
        """Return the resident memory in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, within_s: float = 30.0) -> int:
        """Wait for the end and return the exit code."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there after {within_s:g} s; its log:\n{self.log()[-3000:]}") from None

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


def samples(text: str) -> dict[str, float]:
    """Return a Prometheus exposition as a dictionary; labels in the order of their names."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def fetch_unix(path: Path, target: str) -> tuple[int, Any]:
    """Send a GET to an admin socket and return status and JSON (or text) of the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: admin\r\n\r\n".encode())
        data = b""
        while piece := client.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if b"application/json" in head else body.decode()
