"""One call: what the caller hears first, when they interrupt, when they say nothing, and how it ends."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Alarm
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.dialogue import Dialogue
from exotel_ws.ai.ear import Ear, WholeSamples
from exotel_ws.ai.failure.rescue import Rescue
from exotel_ws.ai.keypad import Keypad
from exotel_ws.ai.late import LateDialogue
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.playout import Playout
from exotel_ws.ai.records.stopwatch import Stopwatch
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.settings import Ai
from exotel_ws.protocol import Dtmf, Mark, Media, Start, Writer
from exotel_ws.responder import HangUp, Line

_NO_WORDS_S: Final = 1.0
"""How long after a noise its words may come; then it had none, and the bot goes on."""
_VOICE_S: Final = 8.0
"""How long a voice holds the bot back without ever becoming a turn: some lines are never quiet."""
_GOODBYE_BEGINS_S: Final = 5.0
"""How long the last sentence may take to begin; then the stream ends without it."""
_GOODBYE_S: Final = 60.0
"""How long the last sentence may take in all."""
_GREETING_S: Final = 30.0
"""How long a greeting may take in all before what the caller says is answered."""
_PROMPT_S: Final = 5.0
"""How long a prompt may take to be heard before the silence after it is counted all the same."""
_REFUSALS_AT_MOST: Final = 10
"""Turns of one call that may be refused for coming too fast; one more ends the call."""
_OUTCOMES: Final = {1000: "time_up", 1001: "drained", 1011: "failed"}
"""By the code with which the server closed the stream, where it was not the conversation that did."""


class Conversation:
    """See `exotel_ws.responder.Responder`, `exotel_ws.ai.dialogue.Events` and `exotel_ws.ai.failure.rescue.Line`.

    Whatever holds the bot back has an end: words that become a turn, a pause without words, or `_VOICE_S`. Whatever ends the
    call is bounded too: the last sentence is heard to its mark, or given up after `_GOODBYE_BEGINS_S` and `_GOODBYE_S`.
    """

    def __init__(
        self,
        settings: Ai,
        line: Line,
        writer: Writer,
        start: Start,
        sample_rate: int,
        build: Callable[["Conversation", Mouth], Dialogue | LateDialogue],
        greeting: bytes,
        greeting_text: str,
        on_end: Callable[["Conversation"], None],
        story: Story,
        protect: Callable[["Conversation"], Rescue],
        allowance: Allowance | None = None,
    ) -> None:
        """``greeting`` is PCM16 at ``sample_rate``; empty: ``greeting_text`` is spoken with the call's own voice.

        ``allowance`` is that of the connection; None gives this call one of its own.
        """
        loop = self._clock = asyncio.get_running_loop()
        self.start = start
        self.stopwatch = Stopwatch(story.stage)
        self._allowance = allowance or Allowance(settings.limits, loop.time)
        self._refusals = 0
        self._settings = settings
        self._line = line
        self._on_end = on_end
        self._story = story
        self._over = False
        self._ending = ""
        self._outcome = ""
        self._holding = False
        """The caller speaks, and is not through with it."""
        self._interrupted = False
        self._in_words = False
        self._silences = 0
        self._greeted = asyncio.Event()
        self._keypad = Keypad(loop, self._keys)
        self._silence = Alarm(loop, self._still_there)
        self._no_words = Alarm(loop, self._nothing_said)
        self._goodbye = Alarm(loop, self._goodbye_late)
        self._goodbye_until = 0.0
        self._cap = Alarm(loop, self._time_up)
        self._playout = Playout(writer, line.send, loop, sample_rate=sample_rate)
        self._playout.on_sent, self._playout.on_cleared = self._sent, self._cleared
        self._mouth = Mouth(self._playout, sample_rate, story.bot_said)
        self._mouth.on_silent, self._mouth.on_dropped = self._silent, self._dropped
        self.rescue = protect(self)
        self._dialogue = build(self, self._mouth)
        self._pcm = WholeSamples()
        self._ear = Ear(sample_rate, self._dialogue.hear, loop.time)
        self._flooded = False
        self._greet(greeting, greeting_text)
        self.running = asyncio.create_task(self._run())
        """Ends once the call has let go of everything, a while after `stopped`."""
        self._cap.set(settings.max_call_s)

    # What Exotel sends

    def media(self, media: Media) -> tuple[str, ...]:
        pcm = self._pcm(media)
        self._story.caller_audio(pcm)
        if not self._ear.take(pcm) and not self._flooded:
            self._flooded = True
            self._line.log.warning("⚠️ Audio comes faster than anybody speaks: what is too much is not heard", event="flood")
        return ()

    def mark(self, mark: Mark) -> tuple[str, ...]:
        self._playout.mark(mark.name)
        return ()

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        self._story.dtmf(dtmf.digit)
        if not self._ending:
            self._greeted.set()  # who presses a key waits for no greeting, one that is still being made neither
            self._silence.off()
            self._playout.drop()
            self._playout.pause()
            self._holding = True
            self._keypad.press(dtmf.digit)
        return ()

    def facts(self) -> dict[str, object]:
        return self._story.facts()

    def stopped(self) -> None:
        if self._over:
            return
        self._over = True
        for alarm in (self._silence, self._no_words, self._goodbye, self._cap):
            alarm.off()
        self._keypad.close()
        self.rescue.close()
        self._playout.close()
        self.running.cancel()
        self._story.close(self._outcome or self._ending or self._how_it_ended())
        self._on_end(self)

    # What the dialogue tells

    def ready(self) -> None:
        self.rescue.ready()

    def user_started(self) -> None:
        self._silence.off()
        self._story.caller_started()
        if self._over or self._ending or self._deaf:
            return
        self._no_words.set(_VOICE_S)
        self._holding = True
        busy = self._mouth.busy
        if self._playout.pause():
            self._line.log("✋ Barge-in: the bot stops", event="barge_in")
        self._interrupted |= busy

    def user_heard(self) -> None:
        self._in_words = True
        self._no_words.set(_VOICE_S)

    def user_paused(self) -> None:
        self._no_words.set(_VOICE_S if self._in_words else _NO_WORDS_S)

    def user_stopped(self, text: str) -> None:
        self._story.caller_said(text)
        if text:
            self.rescue.understood()
        else:
            self.rescue.nothing_meant()
            self._nothing_said()

    async def meant(self, text: str) -> bool:
        listening = not self._deaf
        if not listening:
            await self._greeting_heard()
        if self._over or self._ending or ((self._interrupted or not listening) and self._is_backchannel(text)):
            self._dialogue.forget_last_user_message()
            self.rescue.nothing_meant()
            self._nothing_said()
            return False
        if bound := self._allowance.request():
            self._refuse(bound)
            return False
        if self._interrupted:
            self._story.interruption(meant=True)
        self._holding = self._interrupted = self._in_words = False
        self._no_words.off()
        self._silence.off()
        self._silences = 0
        return True

    def asked_again(self) -> None:
        self._allowance.request_again()

    def context_cut(self, characters: int) -> None:
        self._line.bite("ai_context", f"{characters} characters of the dialogue were left out of a request")

    def answered(self, characters: int) -> str | None:
        bound = self._allowance.speak(characters)
        if not bound:
            return None
        self._line.bite(bound, "the rest of an answer is not spoken")
        if bound == "ai_speech_call":
            self._enough()
            return ""
        return self._settings.limits.too_long

    def said_by_us(self, characters: int) -> None:
        self._allowance.speak_anyway(characters)

    def endless(self) -> None:
        self.rescue.give_up("llm: it calls tools without end")

    def failed(self, stage: str, text: str) -> None:
        self._story.provider_error(stage, "", text)

    # Tools

    def used(self, tool: str) -> None:
        """The model called a tool that does not end the call."""
        self._story.tool(tool)

    def end(self, how: str) -> None:
        """The model ends the stream; what it says is heard before, and where it says nothing, we say goodbye."""
        if self._over or self._ending:
            return
        self._story.tool(how)
        self._part(how)
        if not self._dialogue.in_words:
            self._dialogue.say(self._settings.transferring if how == "transfer" else self._settings.goodbye)
        elif not self._mouth.busy:
            self._hang_up()

    # What a rescue does

    def heard_until(self) -> float:
        return self._playout.heard_until

    def say(self, text: str, pcm: bytes) -> None:
        self._playout.say(pcm)
        self._playout.flush()
        self._playout.note(lambda heard: self._said(text, heard))

    def resume(self) -> bool:
        stopped = self._playout.held and self._playout.outstanding
        self._go_on()
        return stopped

    def give_up(self, text: str, pcm: bytes, then: str) -> None:
        self._last_words(text, pcm, then, "failed")

    # Within

    def _refuse(self, bound: str) -> None:
        """Refuse a turn that is one request too many, and tell the caller; the bot goes on with what it was saying."""
        self._refusals += 1
        self._line.bite(bound, "what the caller said is not answered")
        self._dialogue.forget_last_user_message()
        self.rescue.nothing_meant()
        if bound == "ai_requests_call" or self._refusals > _REFUSALS_AT_MOST:
            self._enough()
            return
        self._nothing_said()
        if not self._mouth.busy:
            self.say(*self.rescue.too_fast)

    def _enough(self) -> None:
        """End the call because it has used up the budget of one call."""
        if not self._ending:
            self.rescue.close()
            self._last_words(*self.rescue.enough, "hang_up", "limit")

    def _last_words(self, text: str, pcm: bytes, then: str, outcome: str) -> None:
        if self._over:
            return
        self._mouth.mute()
        self._playout.drop()
        self._outcome = outcome
        self._part(then)
        self._playout.say(pcm)
        self._playout.flush()
        self._playout.note(lambda heard: self._said_last(text, heard))

    @property
    def _deaf(self) -> bool:
        """Whether what the caller says is heard, but stops nothing."""
        return not self._greeted.is_set() and not self._settings.greeting_interruptible

    async def _run(self) -> None:
        try:
            await self._dialogue.run()
        except Exception:
            self._line.log.exception("💥 The dialogue failed")
        finally:
            self.rescue.give_up("the dialogue ended")

    def _how_it_ended(self) -> str:
        hung_up = self._line.hung_up
        return "caller" if hung_up is None else _OUTCOMES.get(hung_up.code, "other")

    def _sent(self, begins: float, pcm: bytes) -> None:
        self.stopwatch.sent()
        self._story.bot_audio(begins, pcm)

    def _cleared(self, at: float) -> None:
        self.stopwatch.cleared()
        self._story.bot_cleared(at)

    def _greet(self, greeting: bytes, text: str) -> None:
        if greeting:
            self._playout.say(greeting)
            self._playout.flush()
            self._playout.note(lambda heard: self._greeting_over(text, heard))
        elif text:
            self._dialogue.say(text)
        else:
            self._greeting_over("", True)

    async def _greeting_heard(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._greeted.wait(), _GREETING_S)
        self._greeted.set()

    def _greeting_over(self, text: str, heard: bool) -> None:
        self._greeted.set()
        if text:
            self._story.bot_said(text, heard)
        if not self._mouth.busy:
            self._wait_for_caller()

    def _said(self, text: str, heard: bool) -> None:
        self._story.bot_said(text, heard)
        if heard and not self._mouth.busy:
            self._silent()

    def _said_last(self, text: str, heard: bool) -> None:
        self._story.bot_said(text, heard)
        self._hang_up()

    def _silent(self) -> None:
        self._greeted.set()
        if self._ending:
            self._hang_up()
        else:
            self._wait_for_caller()

    def _nothing_said(self) -> None:
        """A noise, or a word that only shows that somebody listens."""
        self._in_words = False
        self._no_words.off()
        if self._keypad.waiting:
            return
        if self._interrupted:
            self._interrupted = False
            self._story.interruption(meant=False)
            self._line.log("↩️ Nothing was meant: the bot goes on", event="resume")
        self._go_on()
        if not self._mouth.busy:
            self._wait_for_caller()

    def _go_on(self) -> None:
        self._holding = False
        self._playout.resume()

    def _dropped(self) -> None:
        """By a turn that was meant; the caller may have begun the next one meanwhile."""
        if self._holding:
            self._playout.pause()

    def _is_backchannel(self, text: str) -> bool:
        words = "".join(letter if letter.isalnum() or letter == " " else "" for letter in text.lower()).strip()
        barge_in = self._settings.barge_in
        return not words or words in barge_in.backchannels or len(words.split()) < barge_in.min_words

    def _keys(self, keys: str) -> None:
        self._interrupted = False
        self._dialogue.told(f"DTMF: {keys}")

    def _wait_for_caller(self) -> None:
        if not (self._over or self._ending):
            self._silence.set(self._settings.silence.after_s)

    def _still_there(self) -> None:
        silence = self._settings.silence
        if self._silences < len(silence.prompts):
            self._dialogue.say(silence.prompts[self._silences])
            self._silences += 1
            self._silence.set(silence.after_s + _PROMPT_S)
        else:
            self._part("silence")
            self._dialogue.say(silence.goodbye)

    def _time_up(self) -> None:
        if self._ending:
            return
        self._dialogue.interrupt()
        self._part("time_up")
        self._dialogue.say(self._settings.time_up)

    def _part(self, how: str) -> None:
        """From now on nothing that the caller does stops the last sentence, or the end."""
        self._ending = how
        self._silence.off()
        self._no_words.off()
        self._keypad.close()
        self.rescue.part()
        self._greeted.set()
        self._go_on()
        self._goodbye_until = self._clock.time() + _GOODBYE_S
        self._goodbye.set(_GOODBYE_BEGINS_S)

    def _goodbye_late(self) -> None:
        if self._playout.outstanding and self._clock.time() < self._goodbye_until:
            self._goodbye.set(1.0)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._over:
            return
        self._goodbye.off()
        self._line.log(f"👋 The bot ends the stream: {self._ending}", event="bot_end", HOW=self._ending)
        self._line.hang_up(HangUp(1000, self._ending))
