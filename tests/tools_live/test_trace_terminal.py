"""``exotelctl trace FILE`` on a pseudo terminal of 80 columns and 24 lines."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path
from time import monotonic

from tests.unit.tools.trace_calls import capture, told, write


def test_it_opens_takes_keys_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "one.jsonl", capture(told()))
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(terminal)
    command = [sys.executable, "-m", "exotelctl", "trace", str(path)]
    environment = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as running:
        try:
            _read_until(master, "stop 1006")
            os.write(master, b"\r")
            _read_until(master, "WebSocket opened")
            os.write(master, b"qq")
            _read_until(master, "\x1b[?1049l")
            assert running.wait(timeout=20) == 0
        finally:
            running.kill()
    assert termios.tcgetattr(terminal)[3] == before[3]
    os.close(master)
    os.close(terminal)


def _read_until(master: int, wanted: str) -> None:
    seen, until = b"", monotonic() + 20
    while wanted.encode() not in seen:
        assert monotonic() < until, seen.decode(errors="replace")
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 65536)
