"""Calls flat out: each sends its next frame as soon as the last one is echoed. Load generator and floor are programs in C.

The floor is an echo server that does the least a server can do; it shows how much is ours to save.
"""

import resource
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import QUIET_CORES, TRIES, machine_s
from benchmarks.load import LoadError
from benchmarks.server import Server
from benchmarks.wire import CONNECTED, PAYLOADS, Script

SOURCES: Final = Path(__file__).parent / "floor"
CALLS: Final = 100
SECONDS: Final = 4.0
_LIMIT_S: Final = 60.0
_MASK: Final = b"\x37\xfa\x21\x3d"
_REQUEST: Final = (
    "GET /?sample-rate=8000 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Go-http-client/1.1\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\r\n"
)


class NoCompilerError(Exception):
    """Error: no C compiler, or one that rejects the sources; nothing can be measured flat out."""


@dataclass(frozen=True)
class Programs:
    """The compiled programs."""

    echo: Path
    load: Path


@dataclass(frozen=True)
class FlatOut:
    """One server under `CALLS` calls flat out."""

    cpu_us_per_frame: float
    """CPU time of the server for one frame in and one out."""
    frames_per_s: float
    server_busy: float
    """Share of its core that the server used; well below 1, the load generator limited it."""
    others_busy: float
    """Cores that other processes used meanwhile."""


def build(into: Path) -> Programs:
    """Compile the programs into the directory ``into``. Raises `NoCompilerError`."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompilerError("there is no C compiler (apt install gcc libc6-dev)")
    programs = Programs(into / "echo", into / "load")
    for program in (programs.echo, programs.load):
        command = [compiler, "-O2", "-Wall", "-o", str(program), str(SOURCES / f"{program.name}.c")]
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=_LIMIT_S)
        if done.returncode:
            raise NoCompilerError(f"{program.name}.c does not compile: {done.stderr.strip()[-500:]}")
    return programs


def measure(server: Server, load: Path) -> FlatOut:
    """Put ``server`` under load until the machine was quiet meanwhile, up to `TRIES` times; return the quietest run.

    Raises `LoadError` if a call breaks.
    """
    runs: list[FlatOut] = []
    while len(runs) < TRIES and all(run.others_busy > QUIET_CORES for run in runs):
        runs.append(_measure_once(server, load))
    return min(runs, key=lambda run: run.others_busy)


def _measure_once(server: Server, load: Path) -> FlatOut:
    began, machine, server_s, own_s = time.monotonic(), machine_s(), server.cpu_s(), _own_s()
    done = subprocess.run(
        [str(load), str(server.port), str(server.pid), str(SECONDS)],
        input=_script(server.port),
        capture_output=True,
        check=False,
        timeout=_LIMIT_S,
    )
    if done.returncode:
        raise LoadError(f"{server.name} flat out: {done.stderr.decode(errors='replace').strip()}")
    others_s = machine_s() - machine - (server.cpu_s() - server_s) - (_own_s() - own_s)
    frames, seconds, busy_s = map(float, done.stdout.split())
    return FlatOut(
        cpu_us_per_frame=busy_s * 1e6 / frames,
        frames_per_s=frames / seconds,
        server_busy=busy_s / seconds,
        others_busy=max(0.0, others_s / (time.monotonic() - began)),
    )


def _own_s() -> float:
    """Return the CPU seconds of this process and of its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _script(port: int) -> bytes:
    """Return the calls in the form that load.c reads."""
    script = bytearray()
    for number in range(CALLS):
        call = Script(number)
        script += _text(_REQUEST.format(port=port).encode())
        script += _text(_frame(CONNECTED) + _frame(call.start()))
        script += struct.pack("=I", len(PAYLOADS))
        for _ in PAYLOADS:
            message, payload = call.media()
            script += _text(_frame(message)) + _text(payload)
    return bytes(script)


def _text(data: bytes) -> bytes:
    return struct.pack("=I", len(data)) + data


def _frame(message: bytes) -> bytes:
    """Return ``message``, of at most 65,535 bytes, as a masked WebSocket text frame."""
    size = len(message)
    head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
    mask = (_MASK * (size // 4 + 1))[:size]
    return head + _MASK + bytes(one ^ two for one, two in zip(message, mask, strict=True))
