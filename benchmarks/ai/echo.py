"""What AI mode has cost echo mode: the tree before it beside the tree of today, on the same interpreter and packages."""

import asyncio
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.load import Calls
from benchmarks.server import Server, ServerError, launched

ROOT: Final = Path(__file__).parents[2]
BEFORE: Final = "8e2e9bc04899b7cba1727d39f5f265025ef422b8"
"""The last commit without AI mode."""
CALLS: Final = 100
WARM_S: Final = 1.0
START: Final = """
from time import process_time
import exotel_ws.cli, exotel_ws.serve, exotel_ws.echo, exotel_ws.engines.picows
print(process_time() * 1000)
import sys
print(len(sys.modules))
"""
FOREIGN: Final = ("numpy", "onnxruntime", "moonshine", "soxr")
"""Of these AI mode loads shared objects."""


@dataclass(frozen=True)
class Echo:
    """An echo worker of one tree, in one round: its start up to the last import (CPU time), memory when idle, CPU for a frame."""

    start_ms: float
    modules: int
    idle_kib: float
    cpu_us_per_frame: float


@contextmanager
def before() -> Iterator[Path | None]:
    """The tree before AI mode, for the length of the block; None where this clone does not have it."""
    archive = subprocess.run(["git", "archive", BEFORE, "server"], cwd=ROOT, capture_output=True, check=False, timeout=30)
    if archive.returncode != 0:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def measure(tree: Path, cores: list[int], port: int, seconds: float, starts: int) -> Echo:
    """One tree: ``starts`` imports, then a worker of its own under 100 paced calls. Raises LoadError and ServerError."""
    start_ms, modules = zip(*(_starts(tree) for _ in range(starts)), strict=True)
    command = [sys.executable, "-m", "exotel_ws", "serve", "--mode", "echo", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        options = ["--log-format", "json", "--metrics-dir", str(Path(folder, "metrics"))]
        with launched("picows", [*command, *options], cores[:1], port, Path(folder), env=_only(tree)) as server:
            idle_kib, cpu_us = asyncio.run(_under_load(server, seconds))
            _pure(server)
    return Echo(median(start_ms), modules[0], idle_kib, cpu_us)


def _starts(tree: Path) -> tuple[float, int]:
    environment = {**os.environ, **_only(tree)}
    done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, check=True, text=True, timeout=30)
    took_ms, modules = done.stdout.split()
    return float(took_ms), int(modules)


async def _under_load(server: Server, seconds: float) -> tuple[float, float]:
    async with Calls(server.url, 1) as calls:
        await calls.paced(WARM_S)  # what the first call of a process costs is not the cost of a call
    idle_kib = server.memory_kib()
    async with Calls(server.url, CALLS) as calls:
        await calls.paced(WARM_S)
        cpu_s = server.cpu_s()
        window = await calls.paced(seconds)
        cpu_s = server.cpu_s() - cpu_s
        await calls.settle()
    return idle_kib, cpu_s * 1e6 / window.frames


def _pure(server: Server) -> None:
    """Raises ServerError where the process has loaded what only AI mode needs."""
    maps = Path(f"/proc/{server.pid}/maps").read_text("utf-8")
    loaded = [name for name in FOREIGN if f"/{name}" in maps]
    if loaded:
        raise ServerError(f"an echo worker has loaded {', '.join(loaded)}")


def _only(tree: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tree / "server")}
