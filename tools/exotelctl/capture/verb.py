"""``exotelctl capture``: record live calls of this host to a file.

Recording the next call to call.jsonl; Ctrl-C ends it.
📞 a950c8dabf743862c3dd740e082a1a4r
✅ call.jsonl: 1 call, 2032 messages, 1.4 MB; complete: every call that was asked for has ended
"""

import asyncio
import contextlib
import re
import signal
import socket
import time
from pathlib import Path
from typing import Final

from exotel_phone.captures.capture_file import CaptureFile
from exotel_phone.captures.records import VERSION, Audio, Capture, End, line
from exotel_phone.exits import Exit, UsageFault
from exotel_phone.output import emit_json, say
from exotel_phone.text import plural, printable

from exotelctl import admin
from exotelctl.capture import packets
from exotelctl.capture.live import Filter, follow
from exotelctl.capture.recorder import Recorder
from exotelctl.options import CaptureOptions

_SIZE: Final = re.compile(r"(\d+)([kMG]?)B?")
_UNITS: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_LEAST_BYTES: Final = 10_000
_MOST_S: Final = 3600.0


def run(options: CaptureOptions, runtime: Path = admin.RUNTIME) -> Exit:
    """Record the calls or packets that are asked for; return PROBLEM if the file is not complete. Raises UsageFault, Refusal."""
    if options.packets:
        return packets.run(options, size(options.max_bytes))
    asked = wanted(options)
    most_s, most = _MOST_S if options.seconds is None else options.seconds, size(options.max_bytes)
    if most_s <= 0:
        raise UsageFault(f"--seconds {most_s:g}: more than 0")
    admin.sockets(runtime)  # without the right to look there is nothing to make a file for
    with CaptureFile(options.out or Path(time.strftime("capture-%Y%m%dT%H%M%S.jsonl")), force=options.force) as file:
        recording = _Recording(asked, file, most, runtime, quiet=options.json)
        end = recording.end(asyncio.run(recording.run(most_s)))
    file.keep()
    recorder = recording.recorder
    if options.json:
        found = {"file": str(file.path), "calls": sorted(set(recorder.calls.values()))}
        emit_json({**found, "messages": end.messages, "bytes": recorder.size, "complete": end.complete, "why": end.why})
    else:
        written = f"{recorder.size / 1e6:.1f} MB" if recorder.size >= 1_000_000 else f"{recorder.size / 1e3:.0f} kB"
        held = f"{plural(end.calls, 'call')}, {plural(end.messages, 'message')}, {written}"
        mark, is_complete = ("✅", "complete") if end.complete else ("❌", "not complete")
        say(f"{mark} {file.name}: {held}; {is_complete}: {printable(end.why, 400)}")
    return Exit.OK if end.complete else Exit.PROBLEM


def wanted(options: CaptureOptions) -> Filter:
    """Return the calls that the options name. Raises UsageFault if they name none, or contradict each other."""
    if options.all == bool(options.call or options.number or options.next):
        raise UsageFault("which calls? --call SID, --number NUMBER, --next N (these go together), or --all")
    kept: dict[str, Audio] = {"keep": "keep", "noise": "noise", "omit": "omit"}
    if options.audio not in kept:
        raise UsageFault(f"--audio {options.audio}: {', '.join(kept)}")
    if options.mask and options.keep_parameters:
        raise UsageFault("--mask and --keep-parameters exclude each other: a parameter may be somebody's number")
    return Filter(options.call, options.number, options.next, kept[options.audio], options.mask, options.keep_parameters)


def size(text: str) -> int:
    """Return the bytes of ``800k``, ``50M``, ``1G``. Raises UsageFault."""
    match = _SIZE.fullmatch(text)
    value = int(match[1]) * _UNITS[match[2]] if match else 0
    if value < _LEAST_BYTES:
        raise UsageFault(f"--max-bytes {text}: a size such as 800k or 50M, at least {_LEAST_BYTES} bytes")
    return value


class _Recording:
    def __init__(self, asked: Filter, file: CaptureFile, most_bytes: int, runtime: Path, *, quiet: bool) -> None:
        self._asked, self._file, self._runtime, self._quiet = asked, file, runtime, quiet
        self.recorder = Recorder(asked, most_bytes, file.write)
        self._shown: set[str] = set()
        self._broken = False
        self._headed = False
        self._at = time.time()

    async def run(self, seconds: float) -> str:
        """Record until there is enough, ``seconds`` have passed or somebody interrupts; return which it was. Raises Refusal."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        try:
            async with asyncio.timeout(seconds):
                return await self._record()
        except TimeoutError:
            return f"{seconds:g} s are over"
        except asyncio.CancelledError:
            return "interrupted"

    async def _record(self) -> str:
        async with contextlib.aclosing(follow(self._asked, runtime=self._runtime)) as records:
            async for record in records:
                self._at = record.at
                try:
                    if isinstance(record, Capture) and not self._headed:
                        self._begin(record.at, record.release)
                        self._tell(f"Recording {self._what()} to {self._file.name}; Ctrl-C ends it.")
                    why = self.recorder.take(record)
                except OSError as error:
                    return self._break(error)
                for conn in self.recorder.started - self._shown:
                    self._shown.add(conn)
                    self._tell(f"📞 {printable(self.recorder.calls[conn])}")
                if why:
                    return why
        return "there is no worker left"

    def _break(self, error: OSError) -> str:
        """Write nothing any more; return why, for whoever reads the file that breaks off."""
        self._broken = True
        why = f"writing failed: {error.strerror}"
        self.recorder.missing.append(why)
        return why

    def _begin(self, at: float, release: str) -> None:
        self._headed = True
        asked = self._asked
        number = "x" * len(asked.number) if asked.mask else asked.number
        values: dict[str, str | int] = {"call": asked.call, "number": number, "next": asked.next}
        names = ",".join(admin.sockets(self._runtime))
        named = {key: value for key, value in values.items() if value}
        head = Capture(VERSION, socket.gethostname(), names, release, at, asked.audio, asked.mask, named, asked.parameters)
        self._file.write(line(head))

    def end(self, why: str) -> End:
        """Write the last line, and return it."""
        end = self.recorder.end(self._at, why)
        try:
            if not self._headed:
                self._begin(self._at, "")
            if not self._broken:
                self._file.write(line(end))
        except OSError as error:
            end = self.recorder.end(self._at, self._break(error))
        return end

    def _what(self) -> str:
        asked = self._asked
        if asked.next:
            who = "call of that number" if asked.number else "call"
            return f"the next {who}" if asked.next == 1 else f"the next {asked.next} calls"
        return f"call {printable(asked.call)}" if asked.call else "the call of that number" if asked.number else "all calls"

    def _tell(self, text: str) -> None:
        if not self._quiet:
            say(text)
