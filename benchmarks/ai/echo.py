"""Cost of AI mode to echo mode: the tree before it beside the tree of today, on the same interpreter and packages."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.__main__ import free_port
from benchmarks.load import Calls
from benchmarks.server import Server, ServerError, launched

ROOT: Final = Path(__file__).parents[2]
BEFORE: Final = "8e2e9bc04899b7cba1727d39f5f265025ef422b8"
"""The last commit without AI mode."""
CALLS: Final = 100
WARM_S: Final = 1.0
TURNS: Final = 7
START: Final = """
from time import process_time
import exotel_ws.cli, exotel_ws.serve, exotel_ws.echo, exotel_ws.engines.picows
try:
    import exotel_ws.echo.mode
except ImportError:  # the tree before AI mode: a module alone
    pass
print(process_time() * 1000)
import sys
print(len(sys.modules))
"""
FOREIGN: Final = ("numpy", "onnxruntime", "moonshine", "soxr")
"""Packages whose shared objects only AI mode loads."""


@dataclass(frozen=True)
class Echo:
    """Echo worker of one tree in one round: its start up to the last import (CPU time), memory when idle, CPU for a frame."""

    start_ms: float
    modules: int
    idle_kib: float
    cpu_us_per_frame: float


def measure(trees: Mapping[str, Path], cores: list[int], seconds: float, starts: int) -> dict[str, Echo]:
    """Measure each tree: ``starts`` imports, then a worker under 100 paced calls. Raises LoadError and ServerError.

    The workers run side by side and are under load by turns, for ``seconds`` each time, so that other work of the machine
    affects all of them.
    """
    imports = {name: [_starts(tree) for _ in range(starts)] for name, tree in trees.items()}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_serving(tree, cores)) for name, tree in trees.items()}
        idle_kib, cpu_us = asyncio.run(_under_load(servers, seconds))
        for server in servers.values():
            _pure(server)
    return {
        name: Echo(median(took for took, _ in imports[name]), imports[name][0][1], idle_kib[name], median(cpu_us[name]))
        for name in trees
    }


@contextmanager
def _serving(tree: Path, cores: list[int]) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "exotel_ws", "serve", "--mode", "echo", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        options = ["--log-format", "json", "--metrics-dir", str(Path(folder, "metrics"))]
        with launched("picows", [*command, *options], cores[:1], port, Path(folder), env=_only(tree)) as server:
            yield server


def _starts(tree: Path) -> tuple[float, int]:
    environment = {**os.environ, **_only(tree)}
    done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, check=True, text=True, timeout=30)
    took_ms, modules = done.stdout.split()
    return float(took_ms), int(modules)


async def _under_load(servers: Mapping[str, Server], seconds: float) -> tuple[dict[str, float], dict[str, list[float]]]:
    idle_kib = {}
    for name, server in servers.items():
        async with Calls(server.url, 1) as calls:
            await calls.paced(WARM_S)  # the first call of a process costs more than later ones
        idle_kib[name] = server.memory_kib()
    cpu_us: dict[str, list[float]] = {name: [] for name in servers}
    async with AsyncExitStack() as stack:
        load = {name: await stack.enter_async_context(Calls(server.url, CALLS)) for name, server in servers.items()}
        for calls in load.values():
            await calls.paced(WARM_S)
        for turn in range(TURNS):
            for name in load if turn % 2 == 0 else reversed(load):
                cpu_s = servers[name].cpu_s()
                window = await load[name].paced(seconds)
                cpu_us[name].append((servers[name].cpu_s() - cpu_s) * 1e6 / window.frames)
                await load[name].settle()
    return idle_kib, cpu_us


def _pure(server: Server) -> None:
    """Raise ServerError if the process has loaded a shared object of AI mode."""
    maps = Path(f"/proc/{server.pid}/maps").read_text("utf-8")
    loaded = [name for name in FOREIGN if f"/{name}" in maps]
    if loaded:
        raise ServerError(f"an echo worker has loaded {', '.join(loaded)}")


def _only(tree: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tree / "server")}
