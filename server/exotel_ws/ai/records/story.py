"""What happened in a call: told as it happens, summed up in one line of the journal, and kept in a file where that is asked for.

The journal never holds what people said, nor their numbers: the file alone does, and the numbers are masked there too.
"""

import secrets
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec

from exotel_ws.ai.records.recording import Recording
from exotel_ws.ai.records.retention import stem
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.ai.settings import Ai
from exotel_ws.logs import CallLog, printable
from exotel_ws.mask import masked
from exotel_ws.protocol import Start

_TAIL_S: Final = 0.5
"""Silence that fills a last message up, and the way of its mark back."""
_PAUSE_S: Final = 1.0
"""Between two answers rather than within one."""
_MOST_EVENTS: Final = 5000
"""That are kept of a call; a caller may press keys without end."""


class Story:
    """Of one call, from its start to `close`. No method raises, none waits for the disk."""

    def __init__(
        self,
        settings: Ai,
        start: Start,
        *,
        conn_id: str,
        sample_rate: int,
        tally: AiTally,
        log: CallLog,
        clock: Callable[[], float],
        shelf: Shelf | None = None,
    ) -> None:
        """``clock`` tells seconds, the same as the playout's; ``shelf`` takes the files: None where nothing is kept."""
        self._settings = settings
        self._start = start
        self._conn_id = conn_id
        self._rate = sample_rate
        self._tally = tally
        self._log = log
        self._clock = clock
        self._began = clock()
        self._began_at = datetime.now(UTC)
        self._stem = stem(start.call_sid, start.stream_sid, self._began_at, secrets.token_hex(3))
        self._shelf = shelf
        self._recording = self._record() if shelf and settings.record.audio else None
        self._events: list[dict[str, object]] | None = [] if shelf and settings.record.transcripts else None
        self._events_lost = 0
        self._stages: dict[str, list[float]] = {}
        self._turns = self._keys = self._errors = self._switches = 0
        self._interruptions = {True: 0, False: 0}
        self._thinking = False
        self._runs: list[tuple[float, float]] = []
        """From when to when the bot is heard, by the clock: what is not yet told of as said."""
        self._ends_at = self._said_at = self._began
        self._cut = False
        self._caller_since: float | None = None
        self._closed = False

    # What was heard

    def caller_audio(self, pcm: bytes) -> None:
        """A piece of the caller's audio as it came, PCM16 at the stream's rate."""
        if self._recording:
            self._recording.caller(pcm)

    def bot_audio(self, begins: float, pcm: bytes) -> None:
        """A piece of the bot's audio that is on its way to the caller, and when it will begin to be heard by the clock."""
        if self._ends_at == self._began and begins - self._began < self._settings.silence.after_s:
            self.stage("greeting", begins - self._began)
        ends = begins + len(pcm) / (2 * self._rate)
        if self._runs and begins <= self._runs[-1][1]:
            self._runs[-1] = (self._runs[-1][0], ends)
        else:
            self._forget_tail(begins)
            self._runs.append((begins, ends))
        self._cut = False
        self._ends_at = ends
        self._thinking = False
        if self._recording:
            self._recording.bot(begins, pcm)

    def bot_cleared(self, at: float) -> None:
        """What the caller would have heard of the bot later than ``at`` they will not."""
        self._ends_at, self._cut = at, True
        self._runs = [(begins, min(ends, at)) for begins, ends in self._runs if begins < at]
        if self._recording:
            self._recording.cleared(at)

    # What was said

    def caller_started(self) -> None:
        """The caller speaks."""
        self._thinking = False
        self._caller_since = self._clock()

    def caller_said(self, text: str) -> None:
        """What was understood of the caller's turn, which is over; empty: nothing."""
        since, self._caller_since = self._caller_since, None
        if not text:
            return
        self._turns += 1
        self._tally.turns += 1
        self._thinking = True
        self._note("caller", at=since, until_ms=self._ms(self._clock()), text=text)
        self._log(f"🗣️ Caller: {self._shown(text)}", event="heard")

    def dtmf(self, digit: str) -> None:
        """A key was pressed."""
        self._keys += 1
        self._thinking = True
        self._note("dtmf", digit=digit)

    def bot_said(self, text: str, heard: bool) -> None:
        """The caller heard ``text``, to its end just now, or (not ``heard``) only what the playout had played of it."""
        begins, played_s = self._played()
        how_much = "all" if heard else "part" if played_s else "nothing"
        self._note("bot", at=begins, text=text, heard=how_much, heard_ms=round(played_s * 1000))
        self._log(f"🤖 Bot{'' if heard else ' (cut)'}: {self._shown(text)}", event="spoke", HEARD="yes" if heard else "no")

    # What went on

    def stage(self, name: str, seconds: float) -> None:
        """A stage of a turn took so long; ``name`` is one of `exotel_ws.ai.records.tally.STAGES`."""
        self._stages.setdefault(name, []).append(seconds)
        self._tally.stages[name].observe(seconds)

    def interruption(self, meant: bool) -> None:
        """The caller spoke while the bot did, and was answered, or (not ``meant``) the bot went on."""
        self._interruptions[meant] += 1
        self._tally.interruptions["meant" if meant else "false"] += 1
        self._thinking = meant
        self._note("interruption", meant=meant)

    def tool(self, name: str) -> None:
        """The model called a tool."""
        self._note("tool", name=name)
        self._log(f"🔧 Tool: {printable(name, 60)}", event="tool", TOOL=printable(name, 60))

    def provider_error(self, stage: str, service: str, text: str) -> None:
        """A service failed, ``stage`` being one of `exotel_ws.ai.records.tally.SERVICES`; ``text`` is what it says of it."""
        self._errors += 1
        self._tally.errors[stage] += 1
        self._note("error", stage=stage, service=service, text=text)
        self._log.warning(
            f"💥 {stage} ({printable(service, 60)}): {printable(text)}", event="provider_error", STAGE=stage, SERVICE=service
        )

    def switched(self, stage: str, to: str) -> None:
        """From now on another service does this stage's work."""
        self._switches += 1
        self._tally.switches[stage] += 1
        self._note("switch", stage=stage, to=to)
        self._log.warning(f"🔀 {stage}: {printable(to, 60)} takes over", event="switched", STAGE=stage, TO=printable(to, 60))

    def apologised(self) -> None:
        """The caller was told that there is a technical problem."""
        self._tally.apologies += 1
        self._note("apology")

    def facts(self) -> dict[str, object]:
        """What an operator wants to know of a live call, beside what is known of any."""
        last = self._stages.get("voice_to_voice", [None])[-1]
        return {"state": self._state(), "turns": self._turns, "voice_to_voice_ms": None if last is None else round(last * 1000)}

    def close(self, outcome: str) -> None:
        """The call has ended, in one of `exotel_ws.ai.records.tally.OUTCOMES`. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._tally.ended[outcome if outcome in self._tally.ended else "other"] += 1
        if self._recording:
            self._recording.close()
        self._sum_up(outcome)
        if self._events is not None and self._shelf:
            story = msgspec.json.format(msgspec.json.encode(self._whole(outcome)), indent=1)
            if not self._shelf.do(partial(self._save, story)):
                self._not_kept("the transcript", "the disk is too slow")

    # Within

    def _state(self) -> str:
        if self._clock() < self._ends_at:
            return "speaking" if self._turns or self._keys else "greeting"
        return "thinking" if self._thinking else "listening"

    def _shown(self, text: str) -> str:
        """For the journal: what was said where everything is asked for, else how much."""
        words = len(text.split())
        return printable(text) if self._log.verbose else f"{words} word{'' if words == 1 else 's'}"

    def _played(self) -> tuple[float, float]:
        """When what was played since the last text began, and for how many seconds it was heard; then forget it."""
        now = self._clock()
        since = [(max(begins, self._said_at), min(ends, now)) for begins, ends in self._runs]
        heard = [(begins, ends) for begins, ends in since if begins < ends]
        self._runs = [(begins, ends) for begins, ends in self._runs if ends > now]
        self._said_at = now
        return (heard[0][0] if heard else now), sum(ends - begins for begins, ends in heard)

    def _forget_tail(self, anew: float) -> None:
        """The bot begins anew: what is left of words that were told of is no part of the next."""
        if self._cut or not self._runs:
            return
        left_s = sum(ends - max(begins, self._said_at) for begins, ends in self._runs)
        told = self._runs[0][0] < self._said_at
        if left_s < _TAIL_S or (told and anew - self._runs[-1][1] > _PAUSE_S):
            self._runs.clear()

    def _note(self, kind: str, at: float | None = None, **more: object) -> None:
        if self._events is None:
            return
        if len(self._events) >= _MOST_EVENTS:
            self._events_lost += 1
            return
        at = self._clock() if at is None else at
        self._events.append({"at_ms": self._ms(at), "what": kind, **more})

    def _ms(self, at: float) -> int:
        return round((at - self._began) * 1000)

    def _sum_up(self, outcome: str) -> None:
        answers = self._stages.get("voice_to_voice", [])
        greeting = self._stages.get("greeting", [])
        self._log(
            f"🧾 {outcome}: {self._turns} turn(s) in {self._clock() - self._began:.0f} s",
            event="summary",
            OUTCOME=outcome,
            DURATION_MS=self._ms(self._clock()),
            TURNS=self._turns,
            KEYS=self._keys,
            GREETING_MS=round(greeting[0] * 1000) if greeting else None,
            V2V_P50_MS=round(statistics.median(answers) * 1000) if answers else None,
            V2V_MAX_MS=round(max(answers) * 1000) if answers else None,
            BARGE_INS=self._interruptions[True],
            FALSE_BARGE_INS=self._interruptions[False],
            ERRORS=self._errors,
            SWITCHES=self._switches,
            KEPT=self._stem if self._events is not None or self._recording else None,
        )

    def _whole(self, outcome: str) -> dict[str, Any]:
        start, events = self._start, self._events or []
        return {
            "call_sid": start.call_sid,
            "stream_sid": start.stream_sid,
            "conn_id": self._conn_id,
            "from": masked(start.from_),
            "to": masked(start.to),
            "rate": self._rate,
            "began": self._began_at.isoformat(timespec="milliseconds"),
            "duration_ms": self._ms(self._clock()),
            "outcome": outcome,
            "recording": f"{self._stem}.wav" if self._recording else None,
            "stages_ms": {name: [round(took * 1000) for took in stage] for name, stage in self._stages.items()},
            # A sentence is told of when it was heard, but stands where it began.
            "events": sorted(events, key=lambda event: int(str(event["at_ms"]))),
            "events_lost": self._events_lost,
        }

    def _record(self) -> Recording:
        assert self._shelf is not None
        return Recording(
            self._shelf,
            f"{self._stem}.wav",
            sample_rate=self._rate,
            most_bytes=self._settings.record.most_call_bytes,
            clock=self._clock,
            on_fault=partial(self._not_kept, "the recording"),
        )

    def _save(self, story: bytes) -> None:
        assert self._shelf is not None
        try:
            self._shelf.save(f"{self._stem}.json", story)
        except OSError as error:
            self._not_kept("the transcript", error.strerror or str(error))

    def _not_kept(self, what: str, why: str) -> None:
        self._log.warning(f"💾 {what} is not kept any further, the call goes on: {why}", event="not_kept", REASON=why)
