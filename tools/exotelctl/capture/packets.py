"""``exotelctl capture --packets``: tcpdump with the guide's filter, bounded, and with a verdict where nothing comes.

$ tcpdump -i any -n port 8765
10:15:00.123456 eth0  In  IP 203.0.113.9.51234 > 10.0.0.5.8765: Flags [S], seq 1, win 64240, length 0
✅ 1 packet on port 8765 in 30 s
"""

import contextlib
import re
import shutil
import signal
import subprocess
import threading
from typing import IO, Final

from exotel_phone.captures.capture_file import CaptureFile
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say
from exotel_phone.text import plural, printable

from exotelctl import host_settings
from exotelctl.options import CaptureOptions
from exotelctl.systemctl import require_root

_HEADERS: Final = 80
"""Bytes kept of a packet: what routes it, not what it says. Audio and credentials stay out of output and file."""
_MOST_S: Final = 30.0
_STOP_S: Final = 5.0
_LINES_KEPT: Final = 1000
_COUNTED: Final = re.compile(r"^(\d+) packets? captured", re.MULTILINE)


def run(options: CaptureOptions, max_bytes: int) -> Exit:
    """Watch the server's port for a time, or so many packets; return PROBLEM if none came. Raises UsageFault, Refusal."""
    port = host_settings.load(options.settings).port
    seconds = _MOST_S if options.seconds is None else options.seconds
    if seconds <= 0:
        raise UsageFault(f"--seconds {seconds:g}: more than 0")
    require_root("capture --packets")
    if shutil.which("tcpdump") is None:
        raise Refusal("tcpdump is not installed: sudo apt-get install tcpdump")
    with CaptureFile(options.out, force=options.force) if options.out else contextlib.nullcontext() as file:
        watch = _Watch(port, seconds, options.count, file, max_bytes, quiet=options.json)
        watch.run()
    if file:
        file.keep()
    if options.json:
        seen = {"port": port, "packets": watch.packets, "seconds": seconds}
        emit_json({**seen, "file": str(file.path) if file else None, "lines": watch.lines})
    elif watch.packets:
        where = f", headers only: {file.name}" if file else ""
        say(f"✅ {plural(watch.packets, 'packet')} on port {port} ({watch.why}){where}")
    else:
        say(f"❌ Nothing reaches this host on port {port}: no packet ({watch.why}). The cloud firewall, or the URL in Exotel.")
    return Exit.OK if watch.packets else Exit.PROBLEM


class _Watch:
    """One run of tcpdump. ``packets`` that it saw, ``lines`` that it printed where no file was asked for."""

    def __init__(self, port: int, seconds: float, count: int, file: CaptureFile | None, max_bytes: int, *, quiet: bool) -> None:
        self.packets = 0
        self.lines: list[str] = []
        self.why = f"{seconds:g} s"
        self._command = ["tcpdump", "-i", "any", "-n", "-s", str(_HEADERS), "-c", str(count)]
        self._command += ["-U", "-w", "-"] if file else ["-l"]
        self._command += ["port", str(port)]
        self._seconds = seconds
        self._file = file
        self._room = max_bytes
        self._quiet = quiet
        self._said = ""

    def run(self) -> None:
        """Watch until the time is over, the count is reached, the file is full or somebody interrupts. Raises Refusal."""
        with subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tcpdump:
            assert tcpdump.stdout is not None
            assert tcpdump.stderr is not None
            timer = threading.Timer(self._seconds, tcpdump.send_signal, [signal.SIGINT])
            timer.start()
            errors = threading.Thread(target=self._hear, args=(tcpdump.stderr,), daemon=True)
            errors.start()
            try:
                self._take(tcpdump.stdout)
            except KeyboardInterrupt:
                self.why = "until interrupted"
            finally:
                timer.cancel()
                _stop(tcpdump)
            errors.join(_STOP_S)
        counted = _COUNTED.search(self._said)
        if counted is None:
            said = self._said.strip().splitlines() or ["it said nothing"]
            raise Refusal(f"tcpdump failed: {printable(said[-1])}")
        self.packets = int(counted[1])

    def _take(self, output: IO[bytes]) -> None:
        if self._file is None:
            for raw in output:
                text = printable(raw.decode(errors="replace").rstrip("\n"), 300)
                if len(self.lines) < _LINES_KEPT:
                    self.lines.append(text)
                self._tell(text)
            return
        while piece := output.read1(65536):  # type: ignore[attr-defined]
            if len(piece) > self._room:
                self.why = "until the file was full (--max-bytes)"
                return
            self._room -= len(piece)
            self._file.write(piece)

    def _hear(self, errors: IO[bytes]) -> None:
        for line in errors:
            if b"listening on" in line:
                self._tell(f"$ {' '.join(self._command)}")
            self._said += line.decode(errors="replace")

    def _tell(self, text: str) -> None:
        if not self._quiet:
            say(text)


def _stop(tcpdump: "subprocess.Popen[bytes]") -> None:
    """End it gently, so that it says how many packets it saw."""
    tcpdump.send_signal(signal.SIGINT)
    try:
        tcpdump.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        tcpdump.kill()
