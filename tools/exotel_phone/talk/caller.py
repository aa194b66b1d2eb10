"""Place the call: the caller's turns at the pace of a telephone, each after the bot has finished, or over it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from exotel_ws.encodings import Encoding

from exotel_phone.audio import frames
from exotel_phone.phone import Phone
from exotel_phone.talk.call import Call, End, Said
from exotel_phone.talk.playback import SETTLE_S, Playback, Utterance
from exotel_phone.target import Target
from exotel_phone.wire import FRAME_MS, frame_bytes

GREETING_S: Final = 3.0
"""Seconds to wait for a greeting; then the caller speaks first."""
ANSWER_S: Final = 6.0
"""Seconds to wait for an answer."""
_LISTEN_S: Final = 120.0
"""Seconds for which the caller listens to one answer; a bot may talk for ever."""
_FRAME_S: Final = FRAME_MS / 1000
_KEYS_APART_S: Final = 0.2


class Caller:
    """One call to a bot. Not reusable: one object, one call."""

    def __init__(
        self,
        target: Target,
        rate: int,
        script: Sequence[Said],
        *,
        strip_query: bool,
        barge_in_s: float | None,
        encoding: Encoding = Encoding.PCM16,
    ) -> None:
        """``script`` are the turns with the PCM to say. ``barge_in_s``: each turn but the first is said so long after the bot
        began its answer, if it still speaks then.
        """
        self.phone = Phone(target, rate=rate, strip_query=strip_query, on_message=self._take, encoding=encoding)
        self._encoding = encoding
        self.playback = Playback(rate)
        self._script = script
        self._barge_in_s = barge_in_s
        self._loop = asyncio.get_running_loop()
        self._silence = bytes(frame_bytes(rate))
        self._frames: deque[bytes] = deque()
        self._current: Said | None = None
        self._began = 0.0
        self._over = False
        self._marks: dict[object, asyncio.TimerHandle] = {}
        """Timers that return the marks that are owed; two may have one name."""
        self._marks_returned = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def carry_out(self) -> Call:
        """Carry out the whole call. Raises Unreachable if it does not connect; what happens after that is in the result."""
        try:
            await self.phone.dial()
            self._began = self._loop.time()
            pace = asyncio.create_task(self.phone.play(self._line()))
            await self._heard_out(await self._begun(0, GREETING_S))
            for number, turn in enumerate(self._script, 1):
                if self.phone.closed_early:
                    break
                await self._take_turn(turn, last=number == len(self._script))
            end = self._ended()
            self._over = True
            await pace
            await self.phone.hang_up()
        finally:
            self._over = True
            for timer in self._marks.values():
                timer.cancel()
            await self.phone.drop()
        return self._record(end)

    # The caller's side

    async def _take_turn(self, said: Said, *, last: bool) -> None:
        """Take one turn, until its answer is over; or, if a barge-in follows, until it is time for that."""
        if said.pcm:
            await self._speak(said)
        else:
            await self._press(said)
        begun = len(self.playback.utterances)
        answer = await self._begun(begun, ANSWER_S)
        if answer is not None and self._barge_in_s is not None and not last:
            due = answer.begins + self._barge_in_s
            await self._until(lambda: self._finished() or self._loop.time() >= due, _LISTEN_S)
        else:
            await self._heard_out(answer)

    async def _speak(self, said: Said) -> None:
        self._current = said
        self._frames.extend(frames(said.pcm, self.playback.rate))
        await self._until(lambda: self._current is None, len(said.pcm))

    async def _press(self, said: Said) -> None:
        said.begins = self._loop.time()
        said.over_bot = self.playback.sounding(said.begins)
        for number, key in enumerate(said.turn.dtmf):
            if number:
                await asyncio.sleep(_KEYS_APART_S)
            await self.phone.press(key)
        said.ends = self._loop.time()
        self.playback.part()

    def _line(self) -> Iterator[bytes]:
        """Yield the frames to send: the turn's audio, silence if there is none. A frame is sent when it is full."""
        while not self._over:
            if not self._frames:
                yield self._silence
                continue
            frame, now = self._frames.popleft(), self._loop.time()
            said = self._current
            assert said is not None, "frames belong to a turn"
            if not said.begins:
                said.begins = now - _FRAME_S
                said.over_bot = self.playback.sounding(now)
            if not self._frames:
                said.ends = now
                self.playback.part()
                self._current = None
            yield frame

    # Its waits

    async def _begun(self, count: int, within_s: float) -> Utterance | None:
        """Wait for the utterance after the first ``count``; return it once it has begun, None if it does not."""
        utterances = self.playback.utterances
        await self._until(lambda: len(utterances) > count, within_s)
        return utterances[count] if len(utterances) > count else None

    async def _heard_out(self, utterance: Utterance | None) -> None:
        if utterance is not None:
            await self._until(self._finished, _LISTEN_S)

    def _finished(self) -> bool:
        """Return True if nothing has been played, and no mark owed, for `SETTLE_S`."""
        return not self._marks and self._loop.time() >= self.playback.ends_at + SETTLE_S

    async def _until(self, probe: Callable[[], bool], within_s: float) -> None:
        """Wait until ``probe`` is true (asked once a frame), the bot ends the call, or ``within_s`` are over."""
        until = self._loop.time() + within_s
        while not probe() and not self.phone.closed_early and self._loop.time() < until:  # noqa: ASYNC110 (mostly for the clock)
            await asyncio.sleep(_FRAME_S)

    # The bot's side

    def _take(self, message: dict[str, Any], pcm: bytes, at: float) -> None:
        event = message["event"]
        if event == "media":
            self.playback.media(pcm, at, len(pcm) * self._encoding.sample_bytes // 2)
        elif event == "mark":
            owed = object()
            self._marks[owed] = self._loop.call_at(self.playback.mark(at), self._played, owed, str(message["mark"]["name"]))
        elif event == "clear":
            self.playback.clear(at)
            for timer in self._marks.values():
                timer.cancel()
            self._marks.clear()

    def _played(self, owed: object, name: str) -> None:
        del self._marks[owed]
        self._marks_returned += 1
        task = asyncio.create_task(self.phone.return_mark(name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ended(self) -> End:
        now = self._loop.time()
        for said in self._script:
            if said.begins and not said.ends:
                said.ends = now
        unheard_s = self.playback.end(now)
        how, code = self.phone.closed_early, self.phone.seen.close_code
        return End(now, True, code, how, unheard_s) if how else End(now, False, None, "the caller hung up", unheard_s)

    def _record(self, end: End) -> Call:
        seen = self.phone.result()
        return Call(
            ids=seen.ids,
            rate=seen.rate,
            begins=self._began,
            connect_ms=seen.connect_ms,
            said=[said for said in self._script if said.begins],
            unsaid=[said.turn for said in self._script if not said.begins],
            spoken=self.playback.utterances,
            clears=self.playback.clears,
            sizes=self.playback.sizes,
            violations=self.playback.violations,
            marks=self._marks_returned,
            ahead_s=self.playback.ahead_s,
            faults=seen.faults,
            fault_count=seen.fault_count,
            late_max_ms=seen.late_max_ms,
            end=end,
        )
