"""Plan a load: how many calls, when each begins and ends, what is said. Pure but for the WAV file that it reads."""

import binascii
import dataclasses
import math

from exotel_phone import audio
from exotel_phone.exits import UsageFault
from exotel_phone.options import LoadOptions
from exotel_phone.target import Target
from exotel_phone.wire import FRAME_MS

MOST_CALLS = 5000
MOST_SECONDS = 3600
CALLS_PER_PROCESS = 300
"""Calls that one process paces without falling behind on one core."""

_SIGNAL_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Plan of ``calls`` calls at once to ``target``, the first at 0 s, the last at ``ramp_s``, all over at ``seconds``.

    With ``hold_s`` a call ends after that long and a new one takes its place. ``payloads`` are the frames (base64) that
    each call says over and over, beginning at a place of its own.
    """

    target: Target
    rate: int
    calls: int
    ramp_s: float
    seconds: float
    hold_s: float | None
    as_exotel: bool
    processes: int
    payloads: list[str] = dataclasses.field(repr=False)

    def begins(self, slot: int) -> float:
        """Return when the first call of ``slot`` is placed, in seconds from the start of the load."""
        return self.ramp_s * slot / max(1, self.calls - 1)

    def ends(self, begun: float) -> float:
        """Return when a call placed at ``begun`` is hung up."""
        return self.seconds if self.hold_s is None else min(self.seconds, begun + self.hold_s)

    def phase_s(self, slot: int) -> float:
        """Return the place in every 20 ms at which the frames of ``slot`` are sent: evenly spread for any number of calls."""
        return FRAME_MS / 1000 * ((slot * _GOLDEN) % 1)

    def first_frame(self, slot: int) -> int:
        """Return the index in ``payloads`` at which the calls of ``slot`` begin, so that no two neighbours say the same."""
        return slot * 37 % len(self.payloads)

    def share(self, process: int) -> range:
        """Return the slots of one process of ``processes``."""
        return range(process, self.calls, self.processes)

    @property
    def new_calls_per_s(self) -> float:
        """Return how many calls are placed each second when all run."""
        return 0.0 if self.hold_s is None else self.calls / self.hold_s


_GOLDEN = (math.sqrt(5) - 1) / 2


def plan(target: Target, options: LoadOptions, cores: int) -> Plan:
    """Return the load to place to ``target`` from a machine with so many ``cores``. Raises UsageFault."""
    calls, seconds, ramp_s, hold_s = options.calls, options.seconds, options.ramp, options.hold
    _require(1 <= calls <= MOST_CALLS, f"--calls {calls}: between 1 and {MOST_CALLS}")
    _require(0.1 <= seconds <= MOST_SECONDS, f"--seconds {seconds:g}: between 0.1 and {MOST_SECONDS}")
    _require(0 <= ramp_s < seconds, f"--ramp {ramp_s:g}: at least 0 and shorter than --seconds {seconds:g}")
    _require(hold_s is None or hold_s >= 0.1, f"--hold {hold_s or 0:g}: at least 0.1 seconds")
    rate, frames = audio.signal(options.wav, target.asked_rate(options.rate), _SIGNAL_S)
    payloads = [binascii.b2a_base64(frame, newline=False).decode() for frame in frames]
    processes = min(processes_for(calls, options.max_processes, cores), calls)
    return Plan(target, rate, calls, ramp_s, seconds, hold_s, options.as_exotel, processes, payloads)


def processes_for(calls: int, most: int | None, cores: int) -> int:
    """Return how many processes place ``calls``: one for each `CALLS_PER_PROCESS`, at most ``most``, else at most one a core."""
    return max(1, min(math.ceil(calls / CALLS_PER_PROCESS), most or cores))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise UsageFault(otherwise)
