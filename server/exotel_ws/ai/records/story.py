"""Record what happens in a call: in log lines and metrics, in a summary line, and in a file if the settings ask for it.

The journal has no words of people, unless the log level is debug; the file has them. Numbers are masked in both.
"""

import secrets
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec

from exotel_ws.ai.ended.courier import Report
from exotel_ws.ai.records.recording import Recording
from exotel_ws.ai.records.retention import stem
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.ai.settings import Ai
from exotel_ws.logs import CallLog, printable
from exotel_ws.mask import masked
from exotel_ws.protocol import Start

_TAIL_S: Final = 0.5
"""Seconds of silence that pad a last message, and of its mark's way back."""
_PAUSE_S: Final = 1.0
"""Seconds of a pause between two answers, rather than within one."""
_MOST_EVENTS: Final = 5000
"""Most events kept of a call; a caller may press keys without end."""


class Story:
    """Record one call, from its start to `close`. No method raises, none waits for the disk."""

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
        report: Report | None = None,
    ) -> None:
        """``clock`` returns seconds, and is the playout's; ``shelf`` keeps the files, None if none are kept.

        ``report`` is told of the call once it has ended; None: nobody is.
        """
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
        self._report = report
        self._kept = bool(shelf and settings.record.transcripts)
        self._events: list[dict[str, object]] | None = [] if self._kept or report else None
        self._events_lost = 0
        self._stages: dict[str, list[float]] = {}
        self._turns = self._keys = self._errors = self._switches = 0
        self._interruptions = {True: 0, False: 0}
        self._reason = self._summary = ""
        self.slots: dict[str, str] = {}
        """Values that the caller gave, by the names of their slots."""
        self._thinking = False
        self._runs: list[tuple[float, float]] = []
        """Times by the clock from and to which the bot is heard, as far as no text was reported as said for them."""
        self._ends_at = self._said_at = self._began
        self._cut = False
        self._caller_since: float | None = None
        self._closed = False
        self._bot = ""

    def answers(self, bot: str) -> None:
        """Record which bot answers the call: a name that the tally has."""
        self._bot = bot
        self._tally.bots[bot] += 1

    # Audio

    def caller_audio(self, pcm: bytes) -> None:
        """Record a piece of the caller's audio as it came, PCM16 at the stream's rate."""
        if self._recording:
            self._recording.caller(pcm)

    def bot_audio(self, begins: float, pcm: bytes) -> None:
        """Record a piece of the bot's audio that was sent, and will begin to be heard at ``begins`` by the clock."""
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
        """Note that the caller will not hear the bot's audio after ``at``."""
        self._ends_at, self._cut = at, True
        self._runs = [(begins, min(ends, at)) for begins, ends in self._runs if begins < at]
        if self._recording:
            self._recording.cleared(at)

    # Words

    def caller_started(self) -> None:
        """Note that the caller speaks."""
        self._thinking = False
        self._caller_since = self._clock()

    def caller_said(self, text: str) -> None:
        """Record the end of a turn of the caller, and what was understood of it; empty: nothing."""
        since, self._caller_since = self._caller_since, None
        if not text:
            return
        self._turns += 1
        self._tally.turns += 1
        self._thinking = True
        self._note("caller", at=since, until_ms=self._ms(self._clock()), text=text)
        self._log(f"🗣️ Caller: {self._shown(text)}", event="heard")

    def caller_went_on(self, turns: int) -> None:
        """Make one of the caller's last ``turns`` and the one before them: they were parts of it, and are answered together."""
        self._turns -= turns
        if self._events is None or self._events_lost:
            return
        first, *parts = [event for event in self._events if event["what"] == "caller"][-turns - 1 :]
        for part in parts:
            first |= {"text": f"{first['text']} {part['text']}", "until_ms": part["until_ms"]}
            self._events.remove(part)

    def dtmf(self, digit: str) -> None:
        """Record a key."""
        self._keys += 1
        self._thinking = True
        self._note("dtmf", digit=digit)

    def bot_said(self, text: str, heard: bool) -> None:
        """Record text of the bot: heard to its end just now, or, if not ``heard``, only as far as the playout had played it."""
        begins, played_s = self._played()
        how_much = "all" if heard else "part" if played_s else "nothing"
        self._note("bot", at=begins, text=text, heard=how_much, heard_ms=round(played_s * 1000))
        self._log(f"🤖 Bot{'' if heard else ' (cut)'}: {self._shown(text)}", event="spoke", HEARD="yes" if heard else "no")

    # Events

    def stage(self, name: str, seconds: float) -> None:
        """Record the duration of a stage; ``name`` is one of `exotel_ws.ai.records.tally.STAGES`."""
        self._stages.setdefault(name, []).append(seconds)
        self._tally.stages[name].observe(seconds)

    def interruption(self, meant: bool) -> None:
        """Record that the caller spoke while the bot did, and was answered or, if not ``meant``, the bot went on."""
        self._interruptions[meant] += 1
        self._tally.interruptions["meant" if meant else "false"] += 1
        self._thinking = meant
        self._note("interruption", meant=meant)

    def asked_ahead(self, used: bool) -> None:
        """Record a request to the language model before the caller's turn was over."""
        self._tally.ahead["used" if used else "wasted"] += 1

    def tool(self, name: str) -> None:
        """Record that the model called a tool."""
        self._note("tool", name=name)
        self._log(f"🔧 Tool: {printable(name, 60)}", event="tool", TOOL=printable(name, 60))

    def tool_failed(self, name: str, why: str) -> None:
        """Record that nothing came of a tool; ``why`` has nothing in it that the caller said."""
        self._tally.tool_errors += 1
        self._note("tool_failed", name=name, why=why)
        shown, reason = printable(name, 60), printable(why, 200)
        self._log.warning(f"🔧 Tool {shown} failed: {reason}", event="tool_failed", TOOL=shown, REASON=reason)

    def end_asked(self, how: str, reason: str, summary: str) -> None:
        """Record that the model ends the call by the tool ``how``, and its words for whoever reads of the call."""
        self._reason, self._summary = reason, summary
        said = [f"{name}: {self._shown(text)}" for name, text in (("reason", reason), ("summary", summary)) if text]
        self._note("tool", name=how, reason=reason, summary=summary)
        self._log(f"🔧 Tool: {how}{' (' if said else ''}{', '.join(said)}{')' if said else ''}", event="tool", TOOL=how)

    def provider_error(self, stage: str, service: str, text: str) -> None:
        """Record a failure; ``stage`` is one of `exotel_ws.ai.records.tally.SERVICES`, ``text`` the service's own words."""
        self._errors += 1
        self._tally.errors[stage] += 1
        self._note("error", stage=stage, service=service, text=text)
        self._log.warning(
            f"💥 {stage} ({printable(service, 60)}): {printable(text)}", event="provider_error", STAGE=stage, SERVICE=service
        )

    def switched(self, stage: str, to: str) -> None:
        """Record that the service ``to`` does this stage's work from now on."""
        self._switches += 1
        self._tally.switches[stage] += 1
        self._note("switch", stage=stage, to=to)
        self._log.warning(f"🔀 {stage}: {printable(to, 60)} takes over", event="switched", STAGE=stage, TO=printable(to, 60))

    def apologised(self) -> None:
        """Record that the caller was told of a technical problem."""
        self._tally.apologies += 1
        self._note("apology")

    def facts(self) -> dict[str, object]:
        """Return facts of a live call for operators, beside those of any call."""
        last = self._stages.get("voice_to_voice", [None])[-1]
        last_ms = None if last is None else round(last * 1000)
        return {"state": self._state(), "turns": self._turns, "voice_to_voice_ms": last_ms}

    def close(self, outcome: str) -> None:
        """End the record; ``outcome`` is one of `exotel_ws.ai.records.tally.OUTCOMES`. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._tally.ended[outcome if outcome in self._tally.ended else "other"] += 1
        if self._recording:
            self._recording.close()
        self._sum_up(outcome)
        if self._report:
            self._report.end(self._told(outcome))
        if self._kept and self._shelf:
            story = msgspec.json.format(msgspec.json.encode(self._whole(outcome)), indent=1)
            if not self._shelf.do(partial(self._save, story)):
                self._not_kept("the transcript", "the disk is too slow")

    # Internals

    def _state(self) -> str:
        if self._clock() < self._ends_at:
            return "speaking" if self._turns or self._keys else "greeting"
        return "thinking" if self._thinking else "listening"

    def _shown(self, text: str) -> str:
        """Return ``text`` for the journal: the words if the log level is debug, else their number."""
        words = len(text.split())
        return printable(text) if self._log.verbose else f"{words} word{'' if words == 1 else 's'}"

    def _played(self) -> tuple[float, float]:
        """Return when audio since the last text began, and for how many seconds it was heard; then forget it."""
        now = self._clock()
        since = [(max(begins, self._said_at), min(ends, now)) for begins, ends in self._runs]
        heard = [(begins, ends) for begins, ends in since if begins < ends]
        self._runs = [(begins, ends) for begins, ends in self._runs if ends > now]
        self._said_at = now
        return (heard[0][0] if heard else now), sum(ends - begins for begins, ends in heard)

    def _forget_tail(self, begins: float) -> None:
        """Forget audio left over from words that were reported, because the bot begins to speak again at ``begins``."""
        if self._cut or not self._runs:
            return
        left_s = sum(end - max(begin, self._said_at) for begin, end in self._runs)
        told = self._runs[0][0] < self._said_at
        if left_s < _TAIL_S or (told and begins - self._runs[-1][1] > _PAUSE_S):
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
            BOT=self._bot,
            KEPT=self._stem if self._kept or self._recording else None,
        )

    def _whole(self, outcome: str) -> dict[str, Any]:
        start, events = self._start, self._events or []
        return {
            "call_sid": start.call_sid,
            "stream_sid": start.stream_sid,
            "conn_id": self._conn_id,
            "from": masked(start.from_),
            "to": masked(start.to),
            "bot": self._bot,
            "rate": self._rate,
            "began": self._began_at.isoformat(timespec="milliseconds"),
            "duration_ms": self._ms(self._clock()),
            "outcome": outcome,
            "reason": self._reason,
            "summary": self._summary,
            "slots": self.slots,
            "recording": f"{self._stem}.wav" if self._recording else None,
            "stages_ms": self._stages_ms(),
            "events": _in_order(events),
            "events_lost": self._events_lost,
        }

    def _told(self, outcome: str) -> dict[str, Any]:
        """Return what the user's system is told of the call beside what it was when it began."""
        return {
            "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "duration_ms": self._ms(self._clock()),
            "bot": self._bot,
            "outcome": outcome,
            "reason": self._reason,
            "summary": self._summary,
            "slots": self.slots,
            "latencies_ms": self._stages_ms(),
            "transcript": _in_order(self._events or []),
            "transcript_lost": self._events_lost,
        }

    def _stages_ms(self) -> dict[str, list[int]]:
        return {name: [round(took * 1000) for took in stage] for name, stage in self._stages.items()}

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


def _in_order(events: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return ``events`` by their times: a sentence is reported when it was heard, but stands where it began."""
    return sorted(events, key=lambda event: int(str(event["at_ms"])))
