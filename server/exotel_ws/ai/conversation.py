"""One call: greeting, barge-in, silence, refusals, and the end."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from exotel_ws.ai.alarm import Alarm, Clock
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.decoder import Decoder
from exotel_ws.ai.dialogue import Talk
from exotel_ws.ai.ear import Ear
from exotel_ws.ai.failure.rescue import Rescue
from exotel_ws.ai.hearing.echo import Played
from exotel_ws.ai.keypad import KEYS, Keypad
from exotel_ws.ai.listener import Listener
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.noise import Noise
from exotel_ws.ai.phase import IllegalTransition, Phase, Phases
from exotel_ws.ai.playout import Playout
from exotel_ws.ai.records.stopwatch import Stopwatch
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.remarks import Remarks, asks_yes_or_no
from exotel_ws.ai.sentences import Sentences
from exotel_ws.ai.settings import Ai
from exotel_ws.ai.voicemail import Voicemail
from exotel_ws.ai.waits import Goodbye, Patience, Utterance
from exotel_ws.passthru.outcomes import Applet
from exotel_ws.protocol import Dtmf, Mark, Media
from exotel_ws.responder import HangUp, Line

_GREETING_S: Final = 30.0
"""Longest time in seconds that a greeting delays the answer to what the caller said meanwhile."""
_GOES_ON_S: Final = 8.0
"""Longest time in seconds that a caller who speaks as the greeting ends delays the answer to what they said before."""
_GRASPED_S: Final = 0.5
"""Seconds of an answer in which nobody has grasped it: who goes on so soon had not finished."""
_LATELY: Final = 300
"""Characters of what the bot has said last by which it is known what it asks."""
_FALSE_ALARMS: Final = 3
"""Times in a row that a voice stops the bot and means nothing; from then on only words stop it, as on a line with music."""
_REFUSALS_AT_MOST: Final = 10
"""Turns of one call that may be refused for coming too fast; one more ends the call."""
_OUTCOMES: Final = {1000: "time_up", 1001: "drained", 1011: "failed"}
"""Outcome of a call that the server closed by itself, by close code."""

APPLETS: Final[dict[str, Applet]] = {"transfer": "transfer", "hang_up": "end"}


@dataclass(frozen=True, slots=True)
class Parts:
    """Objects that a conversation directs. All serve one call, but for the allowance, which the connection keeps."""

    clock: Clock
    story: Story
    stopwatch: Stopwatch
    playout: Playout
    mouth: Mouth
    played: Played
    noisy: Callable[[], bool]
    clamour: Callable[[], bool]
    ear: Ear
    decoder: Decoder
    keypad: Keypad
    rescue: Rescue
    talk: Talk
    allowance: Allowance
    sentences: Sentences
    remarks: Remarks
    voicemail: Voicemail


class Conversation:
    """Direct one call.

    Implements `exotel_ws.responder.Responder`, `exotel_ws.ai.dialogue.Events` and `exotel_ws.ai.failure.rescue.CallControl`.

    Guarantees: whatever holds the bot back ends, by a turn, by a pause without words, or by a deadline (`Utterance`); a call that
    is parting ends, when its last sentence was heard or took too long (`Goodbye`).
    """

    def __init__(
        self,
        settings: Ai,
        line: Line,
        parts: Parts,
        greeting: bytes,
        greeting_text: str,
        on_end: Callable[["Conversation"], None],
    ) -> None:
        """Greet the caller, and run the dialogue in a task.

        ``greeting`` is PCM16 at the stream's rate; if it is empty, ``greeting_text`` is spoken with the call's own voice.
        ``on_end`` is called once, when the stream has ended.
        """
        self._settings = settings
        self._line = line
        self._on_end = on_end
        clock = parts.clock
        self._story, self._stopwatch, self._allowance = parts.story, parts.stopwatch, parts.allowance
        self._ear, self._decoder, self._keypad = parts.ear, parts.decoder, parts.keypad
        self._playout, self._mouth, self._talk, self._rescue = parts.playout, parts.mouth, parts.talk, parts.rescue
        self._playout.on_sent, self._playout.on_cleared = self._sent, self._cleared
        self._mouth.on_silent, self._mouth.on_dropped = self._silent, self._dropped
        self._played, self._mouth.on_saying = parts.played, self._says
        self._words_late = False
        """True if the last voice stopped the bot, and the bot went on since its words had not come."""
        self._false_alarms = 0
        """Times in a row that a voice stopped the bot and was none, or none that even nodded."""
        self._keypad.on_keys = self._keys
        self._utterance = Utterance(clock, self._no_words, settings.turns.longest_s)
        self._sentences = parts.sentences
        self._noise = Noise(parts.noisy, parts.clamour, clock, self._sentences.noisy, self._talk.say)
        self._patience = Patience(self._sentences.prompts, settings.silence.after_s, clock, self._ask, self._no_answer)
        self._goodbye = Goodbye(clock, self._playout, self._hang_up)
        self._cap = Alarm(clock, self._time_up)
        self._phases = Phases(Phase.OPEN if settings.greeting_interruptible else Phase.GREETING, self._illegal)
        self._remarks, self._voicemail = parts.remarks, parts.voicemail
        self._listener = Listener(parts.remarks, clock, self._go_on, self._stop_again)
        self._into_greeting = False
        """True while what was said into the greeting is being answered."""
        self._asking = False
        """True if the bot was asking for a yes or no when the caller last interrupted it."""
        self._playing = ""
        """Sentence made beforehand that is being played."""
        self._lately = ""
        """End of what the bot has said since the caller's last turn."""
        self._greeting_asks = asks_yes_or_no(greeting_text)
        self._answer_began: float | None = None
        """Time of the clock at which the answer to the last turn, or whatever came instead, begins to be heard."""
        self._refusals = 0
        self._saying = ""
        """Sentence said last while a tool is asked, since the caller's last turn."""
        self._flood_logged = False
        self._how = self._outcome = ""
        """Reason for the hang-up, and outcome of the call; empty unless the bot ends the call."""
        # However the stream ends unless the bot ends it: a worker that dies can say nothing more.
        self._line.next_applet(APPLETS[settings.failure.then])
        self._rescue.watch(self)
        self._greet(greeting, greeting_text)
        self.running = asyncio.create_task(self._run())
        """Ends once the call has released everything, a while after `stopped`."""
        self._cap.set(settings.max_call_s)

    # Events of the stream

    def media(self, media: Media) -> tuple[str, ...]:
        pcm = self._decoder(media)
        self._story.caller_audio(pcm)
        self._voicemail.hear(pcm)
        if not self._ear.take(pcm) and not self._flood_logged:
            self._flood_logged = True
            self._line.log.warning("⚠️ Audio comes faster than anybody speaks: what is too much is not heard", event="flood")
        return ()

    def mark(self, mark: Mark) -> tuple[str, ...]:
        self._playout.mark(mark.name)
        return ()

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        self._story.dtmf(dtmf.digit)
        if not self._ending:
            self._listener.over()
            # A key ends the wait for a greeting, even for one that is still being made.
            self._phases.enter(Phase.HELD)
            self._patience.stop()
            self._playout.drop()
            self._playout.pause()
            self._keypad.press(dtmf.digit)
        return ()

    def facts(self) -> dict[str, object]:
        return self._story.facts()

    def stopped(self) -> None:
        if self._phases.now is Phase.OVER:
            return
        self._phases.enter(Phase.OVER)
        self._listener.over()
        self._patience.stop()
        self._utterance.end()
        self._goodbye.stop()
        self._cap.off()
        self._keypad.close()
        self._voicemail.close()
        self._rescue.close()
        self._playout.close()
        self.running.cancel()
        self._story.close(self._outcome or self._how_it_ended())
        self._on_end(self)

    # Events of the dialogue

    def ready(self) -> None:
        self._rescue.ready()

    def user_started(self) -> None:
        self._patience.stop()
        self._listener.voice()
        self._story.caller_started()
        if self._ending:
            return
        self._utterance.voice()
        if self._phases.now is Phase.GREETING:
            return
        if not (self._mouth.over and self._false_alarms >= _FALSE_ALARMS):
            self._hold()

    def _hold(self) -> None:
        """Let the bot stop, because the caller speaks."""
        self._phases.enter(Phase.HELD)
        self._utterance.interrupts |= self._mouth.over
        self._words_late = False
        goes_on = self._playout.held
        if self._playout.pause():
            self._line.log("✋ Barge-in: the bot stops", event="barge_in")
        if not goes_on:
            self._asking = asks_yes_or_no(self._mouth.saying or self._playing)
            self._listener.stopped()

    def user_heard(self) -> None:
        if self._phases.now is not Phase.OVER:
            self._utterance.words()
            if self._false_alarms >= _FALSE_ALARMS and self._phases.now is Phase.OPEN:
                self._hold()

    def user_hushed(self) -> None:
        if self._interrupts and not (self._asking or self.unheard()):
            self._listener.pauses()

    def user_seems(self, text: str) -> None:
        if self._interrupts:
            self._listener.seems(text, asked=self._asking, joins=self.unheard())

    def user_paused(self) -> None:
        if self._phases.now is not Phase.OVER:
            self._utterance.pause()

    def user_stopped(self, text: str) -> None:
        self._story.caller_said(text)
        self._utterance.over.set()
        if not self._ending and self._voicemail.answers(text):
            self._machine_answered()
        elif text:
            self._rescue.understood()
        else:
            self._rescue.nothing_meant()
            self._no_words()

    async def may_answer(self) -> None:
        if self._phases.now is not Phase.GREETING:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._phases.greeted.wait(), _GREETING_S)
        self._phases.leave(Phase.GREETING)
        with contextlib.suppress(TimeoutError):  # who still speaks as the greeting ends has not finished
            await asyncio.wait_for(self._utterance.over.wait(), _GOES_ON_S)
        self._into_greeting = True

    def asks(self) -> bool:
        return self._asking if self._utterance.interrupts else asks_yes_or_no(self._lately)

    def unheard(self) -> bool:
        began = self._answer_began
        return began is None or began > self._utterance.began - _GRASPED_S

    async def meant(self, said: Sequence[str], before: str) -> str:
        into_greeting, self._into_greeting = self._into_greeting, False
        self._listener.over()
        over, asked = self._utterance.interrupts or self._words_late, self._asking
        self._words_late = False
        takes_none = partial(self._is_remark, into_greeting=into_greeting, over=over, asked=asked, goes_on=bool(before))
        meant = [text for text in said if not await takes_none(text)]
        if self._ending or not meant:
            self._false_alarms += over and not all(self._remarks.is_nod(text, asked=asked) for text in said)
            self._rescue.nothing_meant()
            self._nothing_said()
            return ""
        understood = await self._remarks.understood(meant) if self._noise.hinders else "all"
        if understood == "nothing" and not before:
            self._noise.tell()  # in place of an answer that says no more than that
            self._rescue.nothing_meant()
            self._nothing_said()
            return ""
        if bound := self._allowance.request():
            self._refuse(bound)
            return ""
        if self._utterance.interrupts:
            self._utterance.interrupts = False
            self._story.interruption(meant=True)
        if before:
            self._story.caller_went_on(len(meant))
        self._false_alarms = 0
        self._phases.leave(Phase.HELD)
        self._utterance.end()
        self._patience.answered()
        self._saying = self._lately = ""
        self._answer_began = None
        if self._noise.is_to_be_told or understood == "some":  # the room lets no answer end, or speaks with the caller
            self._noise.tell()
        self._noise.answered = True
        return " ".join((before, *meant)).strip()

    def may_ask_ahead(self) -> bool:
        held_back = self._phases.now is Phase.GREETING or self._into_greeting or self._keypad.waiting or self._ending
        may_be_a_nod = self._utterance.interrupts or self._words_late
        return not (held_back or may_be_a_nod) and self._allowance.request_ahead()

    def asked_again(self) -> None:
        self._allowance.request_again()

    def asked_ahead(self, used: bool) -> None:
        self._story.asked_ahead(used)
        if used:
            self._allowance.request_back()

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
        return self._sentences.too_long

    def said_by_us(self, characters: int) -> None:
        self._allowance.speak_anyway(characters)

    def endless(self) -> None:
        self._rescue.give_up("llm: it calls tools without end")

    def failed(self, stage: str, text: str) -> None:
        self._story.provider_error(stage, "", text)

    def used(self, tool: str, saying: str = "") -> None:
        self._story.tool(tool)
        if saying and saying != self._saying and not self._talk.in_words and not self._ending:
            self._saying = saying
            self._talk.say(saying)

    def collected(self, slots: Mapping[str, str]) -> None:
        self._story.slots = dict(slots)

    def tool_failed(self, tool: str, why: str) -> None:
        self._story.tool_failed(tool, why)

    def end(self, how: str, reason: str = "", summary: str = "") -> None:
        if self._ending:
            return
        self._story.end_asked(how, reason, summary)
        self._part(how)
        if not self._talk.in_words:
            self._talk.say(self._sentences.transferring if how == "transfer" else self._sentences.goodbye)
        elif not self._mouth.busy:
            self._hang_up()

    # Actions of a rescue

    def heard_until(self) -> float:
        return self._playout.heard_until

    def say(self, text: str, pcm: bytes) -> None:
        if self._phases.now is Phase.MACHINE:
            return  # it records nothing yet, and would take this for the caller's message
        self._play(text, pcm, lambda heard: self._said(text, heard))

    def resume(self) -> bool:
        stopped = self._playout.held and self._playout.outstanding
        self._go_on()
        return stopped

    def blames_noise(self, *, last: bool) -> bool:
        if not self._noise.noisy() or (self._noise.told and not last):
            return False
        if last:
            self._no_answer()
        else:
            self._noise.tell()
        return True

    def give_up(self, text: str, pcm: bytes, then: str) -> None:
        self._last_words(text, pcm, then, "failed")

    # Phases

    @property
    def _ending(self) -> bool:
        """Return True if the caller can no longer change how the call ends."""
        return self._phases.now in (Phase.MACHINE, Phase.PARTING, Phase.OVER)

    def _illegal(self, error: IllegalTransition) -> None:
        self._line.log.warning(f"⚠️ A mistake of this server, and the call goes on: {error}", event="illegal_phase")

    def _greet(self, greeting: bytes, text: str) -> None:
        if greeting:
            self._play(text, greeting, lambda heard: self._greeting_over(text, heard))
        elif text:
            self._talk.say(text)
        else:
            self._greeting_over("", True)

    def _greeting_over(self, text: str, heard: bool) -> None:
        self._phases.leave(Phase.GREETING)
        if text:
            self._story.bot_said(text, heard)
        if not self._mouth.busy:
            self._wait_for_caller()

    def _machine_answered(self) -> None:
        """Say nothing more to a machine, but for the message once it records."""
        self._line.log("📼 A machine answered", event="voicemail")
        self._patience.stop()
        self._utterance.end()
        self._keypad.close()
        self._phases.enter(Phase.MACHINE)
        self._rescue.nothing_meant()
        self._talk.interrupt()
        self._playout.drop()
        self._voicemail.wait(self._leave_message, self._leave_nothing)

    def _leave_message(self) -> None:
        self._part("voicemail")
        self._talk.say(self._sentences.message)

    def _leave_nothing(self) -> None:
        self._part("voicemail")
        self._hang_up()

    def _go_on(self) -> None:
        """Let the bot continue where the caller stopped it."""
        self._phases.leave(Phase.HELD)
        self._playout.resume()

    @property
    def _interrupts(self) -> bool:
        """Return True if the caller has begun to speak over the bot, and is not pressing keys."""
        return self._utterance.interrupts and self._phases.now in (Phase.OPEN, Phase.HELD) and not self._keypad.waiting

    def _stop_again(self) -> None:
        if self._phases.now is Phase.OPEN:
            self._hold()

    def _part(self, how: str, outcome: str = "") -> None:
        """Begin to end the call for the reason ``how``. From now on nothing the caller does stops the last sentence."""
        self._how, self._outcome = how, outcome or how
        self._line.next_applet(APPLETS.get(how, "end"))
        self._phases.enter(Phase.PARTING)
        self._patience.stop()
        self._utterance.end()
        self._keypad.close()
        self._rescue.part()
        self._playout.resume()
        self._goodbye.begin()

    def _last_words(self, text: str, pcm: bytes, then: str, outcome: str) -> None:
        """Play a sentence in place of whatever the services still say; then hang up."""
        if self._phases.now is Phase.OVER:
            return
        if self._phases.now is Phase.MACHINE:
            self._part(then, outcome)
            self._hang_up()
            return
        self._mouth.mute()
        self._playout.drop()
        self._part(then, outcome)
        self._play(text, pcm, lambda heard: self._said_last(text, heard))

    def _hang_up(self) -> None:
        if self._phases.now is Phase.OVER:
            return
        self._goodbye.stop()
        self._line.log(f"👋 The bot ends the stream: {self._how}", event="bot_end", HOW=self._how)
        self._line.hang_up(HangUp(1000, self._how))

    def _how_it_ended(self) -> str:
        hung_up = self._line.hung_up
        if hung_up is None:
            return "caller"
        return "no_media" if hung_up.bound == "no_media" else _OUTCOMES.get(hung_up.code, "other")

    # What the caller says

    def _nothing_said(self) -> None:
        """Go on after a noise, or after words that only show that somebody listens."""
        if self._phases.now is Phase.OVER:
            return
        self._utterance.end()
        if self._keypad.waiting:
            return
        if self._utterance.interrupts:
            self._utterance.interrupts = False
            self._story.interruption(meant=False)
            self._line.log("↩️ Nothing was meant: the bot goes on", event="resume")
        self._go_on()
        if not self._mouth.busy:
            self._wait_for_caller()

    def _no_words(self) -> None:
        """Go on after a noise. A slow recogniser may still find that it was a word."""
        self._false_alarms += self._utterance.interrupts
        self._words_late |= self._utterance.interrupts
        self._nothing_said()

    async def _is_remark(self, text: str, *, into_greeting: bool, over: bool, asked: bool, goes_on: bool) -> bool:
        """Return True if ``text`` is said into the greeting, or over the bot, and takes no turn.

        ``goes_on``: it is the rest of the last turn if it is no nod, however little it says by itself.
        """
        if text.startswith(KEYS):
            return False
        if into_greeting:
            return await self._remarks.means_nothing(text, asked=self._greeting_asks)
        if goes_on:
            return over and self._remarks.is_nod(text, asked=asked)
        return over and await self._remarks.takes_no_turn(text, asked=asked)

    def _keys(self, keys: str) -> None:
        self._utterance.interrupts = False
        self._talk.told(f"{KEYS}{keys}")

    def _refuse(self, bound: str) -> None:
        """Refuse a turn that is one request too many, and tell the caller; the bot goes on with what it was saying."""
        self._refusals += 1
        self._line.bite(bound, "what the caller said is not answered")
        self._rescue.nothing_meant()
        if bound == "ai_requests_call" or self._refusals > _REFUSALS_AT_MOST:
            self._enough()
            return
        self._nothing_said()
        if not self._mouth.busy:
            self.say(*self._rescue.too_fast)

    def _enough(self) -> None:
        """End the call because it has used up the budget of one call."""
        if not self._ending:
            self._rescue.close()
            self._last_words(*self._rescue.enough, "hang_up", "limit")

    # What the bot says

    def _play(self, text: str, pcm: bytes, tell: Callable[[bool], None]) -> None:
        """Play a whole sentence made beforehand; call ``tell`` with True once it was heard, or with False if it was dropped."""
        self._playing = text

        def over(heard: bool) -> None:
            self._playing = ""
            tell(heard)

        self._playout.say(pcm)
        self._playout.flush()
        self._says(text)
        self._playout.note(over)

    def _says(self, text: str) -> None:
        self._lately = f"{self._lately} {text}"[-_LATELY:]
        self._played.words.say(text, self._playout.heard_until)
        self._noise.says(text)

    def _sent(self, begins: float, pcm: bytes) -> None:
        self._stopwatch.sent()
        if self._answer_began is None:
            self._answer_began = begins
        self._story.bot_audio(begins, pcm)
        self._played.sent(begins, pcm)

    def _cleared(self, at: float) -> None:
        self._stopwatch.cleared()
        self._story.bot_cleared(at)
        self._played.cleared(at)

    def _said(self, text: str, heard: bool) -> None:
        self._story.bot_said(text, heard)
        if heard and not self._mouth.busy:
            self._silent()

    def _said_last(self, text: str, heard: bool) -> None:
        self._story.bot_said(text, heard)
        self._hang_up()

    def _silent(self) -> None:
        """Act on the end of all that the bot had to say."""
        self._phases.leave(Phase.GREETING)
        self._noise.heard()
        if self._phases.now is Phase.PARTING:
            self._hang_up()
        elif self._phases.now is Phase.OPEN and self._noise.is_to_be_told:
            self._noise.tell()
        else:
            self._wait_for_caller()

    def _dropped(self) -> None:
        """Hold the bot back again if the caller began the next turn before an interruption of the last one came by."""
        self._noise.dropped(self._utterance.began)
        if self._phases.now is Phase.HELD:
            self._playout.pause()

    # Time

    async def _run(self) -> None:
        try:
            await self._talk.run(self)
        except Exception:
            self._line.log.exception("💥 The dialogue failed")
        finally:
            self._rescue.give_up("the dialogue ended")

    def _wait_for_caller(self) -> None:
        if not self._ending:
            self._patience.wait()

    def _ask(self, prompt: str) -> None:
        """Ask a caller who says nothing; on a noisy line, say that it is."""
        if self._noise.noisy():
            self._noise.tell()
        else:
            self._talk.say(prompt)

    def _no_answer(self) -> None:
        """Part from a caller who says nothing though asked."""
        self._part("silence")
        self._talk.say(self._sentences.noisy_goodbye if self._noise.noisy() else self._sentences.silent)

    def _time_up(self) -> None:
        if self._ending:
            return
        self._talk.interrupt()
        self._part("time_up")
        self._talk.say(self._sentences.time_up)
