"""Pauses of a caller, in the real pipeline with a recogniser that is directed: what is recognised when, and what the bot does."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from exotel_ws.ai.embedded.backlog import Backlog
from exotel_ws.ai.embedded.recognition import Recognition
from exotel_ws.ai.embedded.services import EmbeddedSTT, SharedTurnAnalyzer
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.hearing.detector import Hearing, VoiceDetector
from exotel_ws.ai.hearing.echo import Played
from exotel_ws.ai.hearing.windows import Window, level
from exotel_ws.ai.settings import Silence, Turns

from tests.unit.server.ai_call import GREETING_S, Loop

from .ai_services import FakeLLM, FakeTTS
from .ai_trouble import Services, TroubledCall, voice

PATIENT = Silence(after_s=600.0)
ANSWER = "Here is a long answer to what was asked, of which all has to be heard."


class Inline(Loop):
    """Loop on which the work of threads takes no time."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        done = self.create_future()
        done.set_result(func(*args))
        return done


TOPIC = Topic(cast(Any, None), lambda _text: "something")


class Loudness(VoiceDetector):
    """Voice detector that takes each loud window for a voice."""

    def is_voice(self, window: Window) -> bool:
        return level(window) > -40


class Recogniser:
    """Recogniser that hears the text whose turn it is, however often it is asked, until `next_text`."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.seconds: list[float] = []
        self.tails_s: list[float] = []
        self.topics: list[Topic | None] = []

    def recognise(self, pcm: bytes, topic: Topic | None) -> str:
        self.topics.append(topic)
        self.tails_s.append(round((len(pcm) - len(pcm.rstrip(b"\0"))) / 32000, 2))
        self.seconds.append(round(len(pcm) / 32000, 1))
        return self.texts[0]


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SharedTurnAnalyzer, "_judge", lambda _self, _pcm: True)


MODEL = SimpleNamespace(
    voice=SimpleNamespace(reset_states=lambda: None), voice_executor=None, session=None, turn_executor=None, backlog=Backlog()
)


class Call(TroubledCall):
    """Call whose caller says ``texts``."""

    def __init__(self, *texts: str, **settings: Any) -> None:
        self.recogniser, self.played = Recogniser(*texts), Played(8000)
        self.llm = FakeLLM(ANSWER)
        stt = EmbeddedSTT(Recognition(self.recogniser, None), TOPIC)  # type: ignore[arg-type]
        super().__init__(Services([stt], [self.llm], [FakeTTS(voice)]), silence=PATIENT, **settings)

    turn_model = MODEL

    def hearing(self) -> Hearing:
        return Hearing(Loudness(MODEL), self.played, self.loop.time, self.settings.turns)  # type: ignore[arg-type]

    def hear(self, pcm: bytes) -> None:
        """Let a tone sound in place of an offset."""
        samples = np.frombuffer(pcm, "<i2")
        super().hear((samples * np.resize([1, 1, -1, -1], len(samples))).astype("<i2").tobytes())

    async def says(self, *seconds: float) -> None:
        """Speak and be silent by turns, beginning with speech."""
        for at, length in enumerate(seconds):
            await (asyncio.sleep if at % 2 else self.ask)(length)

    def next_text(self) -> None:
        self.recogniser.texts.pop(0)


def at_once(test: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=Inline) as runner:
        runner.run(test())  # type: ignore[arg-type]


def test_an_utterance_is_recognised_once_and_early() -> None:
    async def test() -> None:
        async with Call("Where is my order?") as call:
            await call.until(GREETING_S + 1)
            await call.says(1.0, 0.17)
            assert len(call.recogniser.seconds) == 1, "before the pause is certain"
            assert call.recogniser.tails_s[0] >= 0.15, "the recogniser garbles words after which there is less silence"
            await asyncio.sleep(2)
            assert len(call.recogniser.seconds) == 1
            assert call.llm.asked == ["Where is my order?"]
            assert call.recogniser.topics == [TOPIC]

    at_once(test)


def test_over_a_bots_voice_words_are_heard_as_they_are_since_they_may_be_its_own() -> None:
    async def test() -> None:
        async with Call("Where is my order?") as call:
            await call.until(GREETING_S + 1)
            call.played.sent(call.loop.time(), bytes(16000))
            await call.says(1.0, 3.0, 1.0, 3.0)
            assert call.recogniser.topics == [None, TOPIC]

    at_once(test)


def test_little_of_the_noise_before_an_utterance_is_recognised_with_it() -> None:
    async def test() -> None:
        async with Call("Where is my order?") as call:
            await call.until(GREETING_S + 3)
            await call.says(1.0, 1.0)
            spoken_s = call.recogniser.seconds[0] - call.recogniser.tails_s[0]
            assert 1.65 < spoken_s < 1.85, "0.8 s before the voice is noticed, which takes 0.2 s, and 0.1 s of the pause"

    at_once(test)


def test_what_was_recognised_in_a_pause_that_was_none_is_thrown_away() -> None:
    async def test() -> None:
        async with Call("Where", "Where is my order?") as call:
            await call.until(GREETING_S + 1)
            await call.says(1.0, 0.14)
            call.next_text()
            await call.says(0.8, 2.0)
            assert len(call.recogniser.seconds) == 2
            assert call.recogniser.seconds[1] > call.recogniser.seconds[0] + 0.8, "the whole is recognised anew"
            assert call.llm.asked == ["Where is my order?"]

    at_once(test)


def test_without_early_recognition_nothing_is_recognised_twice() -> None:
    async def test() -> None:
        async with Call("Where is my order?", turns=Turns(early=False)) as call:
            await call.until(GREETING_S + 1)
            await call.says(1.0, 0.14, 0.8, 2.0)
            assert len(call.recogniser.seconds) == 1
            assert call.llm.asked == ["Where is my order?"]

    at_once(test)


async def answered(call: Call) -> None:
    await call.until(GREETING_S + 1)
    await call.says(1.0, 1.6)
    assert call.bot_speaks
    call.next_text()


def test_after_a_nod_the_bot_goes_on_before_the_pause_is_certain() -> None:
    async def test() -> None:
        async with Call("Where is my order?", "Okay.") as call:
            await answered(call)
            await call.says(0.36, 0.17)
            assert call.exotel.clears == 1
            assert call.bot_speaks
            await asyncio.sleep(8)
            assert call.story.meant == [False]
            assert call.exotel.clears == 1
            assert call.llm.asked == ["Where is my order?"]

    at_once(test)


@pytest.mark.parametrize("heard", ["", "Hun ye."], ids=["no words", "words of which the flow makes nothing"])
def test_after_a_hum_the_bot_goes_on_as_soon(heard: str) -> None:
    async def test() -> None:
        async with Call("Where is my order?", heard, flow=["Where is my order?"]) as call:
            await answered(call)
            await call.says(0.36, 0.17)
            await asyncio.sleep(0)
            assert call.bot_speaks
            await asyncio.sleep(8)
            assert call.exotel.clears == 1
            assert call.llm.asked == ["Where is my order?"]

    at_once(test)


def test_who_goes_on_after_what_seemed_a_nod_is_listened_to() -> None:
    async def test() -> None:
        async with Call("Where is my order?", "Yeah,", "Yeah, but when do you open?") as call:
            await answered(call)
            await call.says(0.36, 0.16)
            call.next_text()
            await call.says(1.5, 0.1)
            assert not call.bot_speaks
            await asyncio.sleep(2)
            assert call.llm.asked == ["Where is my order?", "Yeah, but when do you open?"]
            assert call.story.meant == [True]

    at_once(test)


def test_speech_without_a_pause_is_heard_all_the_same() -> None:
    async def test() -> None:
        async with Call("I will tell you all of it", turns=Turns(longest_s=6.0)) as call:
            await call.until(GREETING_S + 1)
            talking = asyncio.create_task(call.ask(8.0))
            await asyncio.sleep(7.0)
            assert call.llm.asked == ["I will tell you all of it"]
            assert max(call.recogniser.seconds) <= 7.1
            await talking

    at_once(test)
