"""One attack beside 100 calls over wss, on a fresh edge: what the calls, new callers, and the memory felt of it.

All processes of a scene are started before its time begins, and wait for their moment by the monotonic clock, so that none of
them takes CPU time for its start while something is measured.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.edge import calls, newcomers
from benchmarks.edge.attacker import ATTACKS
from benchmarks.edge.haproxy import ROOT
from benchmarks.edge.hello import client_hello
from benchmarks.edge.host import ADDRESS, WSS, Edge, edge
from benchmarks.edge.network import CALLERS, FIRST_SOURCE, SOURCE_COUNT, STRANGERS, inside
from benchmarks.edge.rendered import Files
from benchmarks.edge.report import Memory, Seen
from benchmarks.load import LoadError

CALLERS_ADDRESS: Final = "198.19.0.2"
KNOWN: Final = "198.19.64.1"
PROVEN: Final = "198.19.64.2"
AUTHORITY: Final = "198.19.64.3"
FIRST_UNKNOWN: Final = 100
SAMPLE_S: Final = 0.2
START_S: Final = 5.0
NICE: Final = 5
GRACE_S: Final = 30.0
UNKNOWN_S: Final = 5.0


@dataclass(frozen=True)
class Flood:
    """Attack by `hellos.c`: connections a second, whether they are kept open and say anything, to where and from where."""

    rate: int
    keep: bool = True
    speaks: bool = False
    port: int = 443
    namespace: str = STRANGERS
    first_source: str = FIRST_SOURCE
    sources: int = SOURCE_COUNT


FLOODS: Final = {
    "hellos": Flood(5000, keep=False, speaks=True),
    "silent": Flood(1000),
    "proven": Flood(1000, speaks=True, namespace=CALLERS, first_source=PROVEN, sources=1),
    "port-80": Flood(1000, port=80, sources=1),
}
NAMES: Final = ["none", *FLOODS, *ATTACKS]


@dataclass
class Peaks:
    """Most memory of both programs in MiB, and HAProxy's CPU time, sampled by a thread until the end of the block."""

    edge: Edge
    haproxy_mb: float = 0.0
    server_mb: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def sample(self) -> None:
        """Look once."""
        self.haproxy_mb = max(self.haproxy_mb, self.edge.haproxy.memory_mb())
        self.server_mb = max(self.server_mb, self.edge.server.memory_mb())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look each `SAMPLE_S` during the block."""

        def watch() -> None:
            while not self._over.wait(SAMPLE_S):
                self.sample()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


class Child:
    """Process of this benchmark in a namespace, which prints a report as JSON."""

    def __init__(self, namespace: str, core: int, files: Files, *command: str, stdin: bytes = b"", nice: int = 0) -> None:
        words = inside(namespace, *(["nice", "-n", str(nice)] if nice else []), *command, core=core)
        self._process = subprocess.Popen(
            words, cwd=ROOT, env=files.trusting(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._process.stdin
        self._process.stdin.write(stdin)  # less than a pipe holds
        self._process.stdin.close()
        self._process.stdin = None
        self._what = " ".join(command[:4])

    def report(self, within_s: float) -> Any:
        """Return the report that the process prints at its end. Raises LoadError, subprocess.TimeoutExpired."""
        out, err = self._process.communicate(timeout=within_s)
        if self._process.returncode:
            raise LoadError(f"{self._what}: {err.decode(errors='replace').strip()[-1500:]}")
        try:
            return json.loads(out)
        except ValueError:
            raise LoadError(f"{self._what} printed {out[:200]!r}") from None

    def end(self) -> None:
        """Kill the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def play(attack: str, number: int, hellos: Path, files: Files, cores: list[int], seconds: int) -> Seen:
    """Play the attack of this name for ``seconds``. ``number`` makes the address of the unknown caller, a new one each time.

    Raises ServerError, LoadError, subprocess.TimeoutExpired.
    """
    near, far = cores
    with edge(files, near) as host, ExitStack() as stack:

        def child(namespace: str, module: str, *words: str, nice: int = 0) -> Child:
            command = [sys.executable, "-m", f"benchmarks.edge.{module}", *words]
            started = Child(namespace, far, files, *command, nice=nice)
            stack.callback(started.end)
            return started

        for source in (CALLERS_ADDRESS, KNOWN, PROVEN):
            introduce(source, files, far)
        caller = ("--credential-file", str(files.credential))
        begin = time.monotonic() + START_S
        attack_at, over_at = begin + calls.ATTACK_AT_S, begin + calls.ATTACK_AT_S + seconds
        unknown = f"198.19.64.{FIRST_UNKNOWN + number}"
        loaded = child(CALLERS, "calls", WSS, *caller, "--at", f"{begin}", "--attack-seconds", f"{seconds}")
        known = child(CALLERS, "newcomers", WSS, *caller, "--at", f"{attack_at}", "--source", KNOWN, "--seconds", f"{seconds}")
        after = child(CALLERS, "newcomers", WSS, *caller, *("--at", f"{over_at}", "--source", unknown),
                      *("--seconds", f"{UNKNOWN_S}", "--every", "0.15"))  # fmt: skip
        asked = child(
            CALLERS, "challenges", "ask", ADDRESS, "--at", f"{attack_at}", "--source", AUTHORITY, "--seconds", f"{seconds}"
        )
        attacker = None
        if attack in ATTACKS:
            attacker = child(STRANGERS, "attacker", attack, "--at", f"{attack_at}", "--seconds", f"{seconds}", nice=NICE)
        _until(attack_at - SAMPLE_S)
        peaks = Peaks(host)
        peaks.sample()
        before = (peaks.haproxy_mb, peaks.server_mb)
        with peaks.watching():
            _until(attack_at)
            if attack in FLOODS:
                attacker = _flood(attack, hellos, files, far, seconds)
                stack.callback(attacker.end)
            used_s = host.haproxy.cpu_s()
            _until(over_at)
            used_s = host.haproxy.cpu_s() - used_s
            outcome = attacker.report(GRACE_S) if attacker else {}
            reports = [one.report(GRACE_S) for one in (known, after, asked, loaded)]
    return Seen(
        attack=attack,
        series=files.haproxy.series,
        calls=calls.Report(**reports[3]),
        known=newcomers.Report(**reports[0]),
        unknown=newcomers.Report(**reports[1]),
        challenges=newcomers.Report(**reports[2]),
        haproxy=Memory(before[0], peaks.haproxy_mb),
        server=Memory(before[1], peaks.server_mb),
        haproxy_busy=used_s / seconds,
        attacker=outcome,
        attacks_due=_rate(attack) * seconds,
    )


def introduce(source: str, files: Files, core: int) -> None:
    """Place one good call from ``source``, so that the edge knows it. Raises LoadError if it does not get in."""
    command = [sys.executable, "-m", "benchmarks.edge.newcomers", WSS, "--credential-file", str(files.credential)]
    child = Child(CALLERS, core, files, *command, "--source", source, "--count", "1")
    try:
        met = newcomers.Report(**child.report(GRACE_S))
    finally:
        child.end()
    if not met.admitted:
        raise LoadError(f"not even a quiet edge lets a caller in: {met.why}")


def _flood(attack: str, hellos: Path, files: Files, core: int, seconds: int) -> Child:
    it = FLOODS[attack]
    words = (ADDRESS, it.port, it.first_source, it.sources, it.rate, seconds, int(it.keep))
    said = client_hello(ADDRESS) if it.speaks else b""
    return Child(it.namespace, core, files, str(hellos), *map(str, words), stdin=said, nice=NICE)


def _rate(attack: str) -> float:
    """Return how many connections a second the attack is to begin."""
    return FLOODS[attack].rate if attack in FLOODS else ATTACKS[attack][0] if attack in ATTACKS else 0.0


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
