"""One call: what the caller hears first, when they interrupt, when they say nothing, and how it ends."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import soxr

from exotel_ws.ai.dialogue import HEARING_RATE, Dialogue
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.playout import Playout
from exotel_ws.ai.settings import Ai
from exotel_ws.ai.stopwatch import Stopwatch
from exotel_ws.ai.story import Story
from exotel_ws.protocol import Dtmf, Mark, Media, Start, Writer
from exotel_ws.responder import HangUp, Line

_HEARD_AT_ONCE: Final = 0.04
"""Seconds of the caller's voice handed on at a time: 20 ms pieces cost twice the CPU, 100 ms ones are felt at a barge-in."""
_OUTCOMES: Final = {1000: "time_up", 1001: "drained", 1011: "failed"}
"""By the code with which the server closed the stream, where it was not the conversation that did."""


class Conversation:
    """See `exotel_ws.responder.Responder`."""

    def __init__(
        self,
        settings: Ai,
        line: Line,
        writer: Writer,
        start: Start,
        sample_rate: int,
        build: Callable[["Conversation", Mouth], Dialogue],
        greeting: bytes,
        greeting_text: str,
        on_end: Callable[["Conversation"], None],
        story: Story,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._line = line
        self._start = start
        self._on_end = on_end
        self._story = story
        self.stopwatch = Stopwatch(story.stage)
        self._greeting_text = greeting_text
        self._over = False
        self._ending = ""
        self._heard = bytearray()
        self._at_once = int(sample_rate * _HEARD_AT_ONCE) * 2
        self._ear = (
            soxr.ResampleStream(sample_rate, HEARING_RATE, 1, dtype="int16", quality="QQ")
            if sample_rate != HEARING_RATE
            else None
        )
        self._playout = Playout(writer, line.send, loop, sample_rate=sample_rate)
        self._playout.on_sent, self._playout.on_cleared = self._sent, self._cleared
        self._mouth = Mouth(self._playout, sample_rate, self._spoken)
        self._mouth.on_silent = self._silent
        self._silences = 0
        self._silence: asyncio.TimerHandle | None = None
        self._paused = False
        self._text = ""
        self._deaf = not settings.greeting_interruptible
        if greeting:
            self._playout.say(greeting)
            self._playout.note(self._greeted)
        else:
            self._greeted(True)
        self._dialogue = build(self, self._mouth)
        self._running = asyncio.create_task(self._run())
        self._cap = loop.call_later(settings.max_call_s, self._time_up)

    # What Exotel sends

    def media(self, media: Media) -> tuple[str, ...]:
        self._story.caller_audio(media.pcm)
        self._heard += media.pcm
        if len(self._heard) >= self._at_once:
            pcm = bytes(self._heard)
            self._heard.clear()
            if self._ear is not None:
                pcm = self._ear.resample_chunk(np.frombuffer(pcm, "<i2")).tobytes()
            self._soon(self._dialogue.hear(pcm))
        return ()

    def mark(self, mark: Mark) -> tuple[str, ...]:
        self._playout.mark(mark.name)
        return ()

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        self._quiet_over()
        self._story.dtmf(dtmf.digit)
        self._playout.drop()
        self._soon(self._dialogue.told(f"DTMF: {dtmf.digit}"))
        return ()

    def facts(self) -> dict[str, object]:
        return self._story.facts()

    def stopped(self) -> None:
        if self._over:
            return
        self._over = True
        self._quiet_over()
        self._cap.cancel()
        self._playout.close()
        self._running.cancel()
        self._story.close(self._ending or self._outcome())
        self._on_end(self)

    # What the dialogue tells

    def user_started(self) -> None:
        self._quiet_over()
        self._story.caller_started()
        if not self._deaf and self._playout.pause():
            self._paused = True
            self._line.log("✋ Barge-in: the bot stops", event="barge_in")

    def user_stopped(self, text: str) -> None:
        self._text = text
        self._story.caller_said(text)
        if not text:
            self._resume()

    async def meant(self) -> bool:
        if self._paused and self._is_backchannel(self._text):
            self._dialogue.forget_last_user_message()
            self._resume()
            return False
        if self._paused:
            self._story.interruption(meant=True)
        self._paused = False
        self._silences = 0
        return True

    def failed(self, stage: str, text: str) -> None:
        self._story.provider_error(stage, "", text)

    # Tools

    def end(self, how: str) -> None:
        """End the stream once what is said was heard."""
        self._ending = how
        self._story.tool(how)

    # Within

    async def _run(self) -> None:
        try:
            await self._dialogue.run()
        except asyncio.CancelledError:
            raise
        except Exception:
            self._line.log.exception("💥 The dialogue failed")
        finally:
            if not self._over:
                self._line.hang_up(HangUp(1011, "the dialogue ended"))

    def _outcome(self) -> str:
        hung_up = self._line.hung_up
        return "caller" if hung_up is None else _OUTCOMES.get(hung_up.code, "other")

    def _sent(self, begins: float, pcm: bytes) -> None:
        self.stopwatch.sent()
        self._story.bot_audio(begins, pcm)

    def _cleared(self, at: float) -> None:
        self.stopwatch.cleared()
        self._story.bot_cleared(at)

    def _greeted(self, heard: bool) -> None:
        self._deaf = False
        if self._greeting_text:
            self._story.bot_said(self._greeting_text, heard)
        self._wait_for_caller()

    def _spoken(self, text: str, heard: bool) -> None:
        self._story.bot_said(text, heard)

    def _silent(self) -> None:
        if self._ending:
            self._hang_up()
        else:
            self._wait_for_caller()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._story.interruption(meant=False)
            self._line.log("↩️ Nothing was meant: the bot goes on", event="resume")
            self._playout.resume()

    def _is_backchannel(self, text: str) -> bool:
        words = "".join(letter if letter.isalnum() or letter == " " else "" for letter in text.lower()).strip()
        return (
            not words or words in self._settings.barge_in.backchannels or len(words.split()) < self._settings.barge_in.min_words
        )

    def _wait_for_caller(self) -> None:
        self._quiet_over()
        if not self._over and not self._ending:
            self._silence = asyncio.get_running_loop().call_later(self._settings.silence.after_s, self._still_there)

    def _quiet_over(self) -> None:
        if self._silence:
            self._silence.cancel()
            self._silence = None

    def _still_there(self) -> None:
        prompts = self._settings.silence.prompts
        if self._silences < len(prompts):
            self._soon(self._dialogue.say(prompts[self._silences]))
            self._silences += 1
        else:
            self._say_and_end(self._settings.silence.goodbye, "silence")

    def _time_up(self) -> None:
        self._say_and_end(self._settings.time_up, "time_up")

    def _say_and_end(self, text: str, how: str) -> None:
        self._ending = how
        self._soon(self._dialogue.say(text))

    def _hang_up(self) -> None:
        self._line.log(f"👋 The bot ends the stream: {self._ending}", event="bot_end")
        self._line.hang_up(HangUp(1000, self._ending))

    def _soon(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
