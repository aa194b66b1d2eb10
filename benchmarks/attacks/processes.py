"""Run attackers and newcomers as processes: start them, wait with a bound, end them by their pid."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.attacks import attacker, newcomer

ROOT: Final = Path(__file__).parents[2]
GRACE_S: Final = 90.0


class Process:
    """A process that prints one JSON report at its end."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"benchmarks.attacks.{module}", *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def report(self, within_s: float) -> dict[str, Any]:
        """Wait for the end. Raises TimeoutExpired, CalledProcessError."""
        out, _ = self._process.communicate(timeout=within_s)
        if self._process.returncode != 0:
            raise subprocess.CalledProcessError(self._process.returncode, self._process.args)
        report: dict[str, Any] = json.loads(out)
        return report

    def end(self) -> None:
        """Kill the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


class Scene:
    """An attack and, beside it, calls from another source. `reports` waits for both."""

    def __init__(self, attack: str, port: int, seconds: float, *, host: str = "127.0.0.1", source: str = "127.0.0.2") -> None:
        target = ("--host", host, "--port", str(port), "--seconds", f"{seconds:g}")
        self._seconds = seconds
        self._attacker = Process("attacker", attack, *target, "--source", source)
        self._newcomer = Process("newcomer", *target, "--source", "127.0.0.9") if host == "127.0.0.1" else None

    def reports(self) -> tuple[attacker.Report, newcomer.Report]:
        """Return the reports of the attacker and the newcomer. Raises TimeoutExpired, CalledProcessError."""
        attacked = attacker.Report(**self._attacker.report(self._seconds + GRACE_S))
        came = newcomer.Report(**self._newcomer.report(GRACE_S)) if self._newcomer else newcomer.Report()
        return attacked, came

    def end(self) -> None:
        """Kill what still runs."""
        self._attacker.end()
        if self._newcomer:
            self._newcomer.end()


@contextmanager
def attacked(attack: str, port: int, seconds: float, **options: str) -> Iterator[Scene]:
    """Run an attack for the length of the block, at most ``seconds``."""
    scene = Scene(attack, port, seconds, **options)
    try:
        yield scene
    finally:
        scene.end()
