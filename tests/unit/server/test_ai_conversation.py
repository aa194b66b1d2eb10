"""A call from its greeting to its end: the caller hears the right words, and the call ends from every state. No time is spent."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from exotel_ws.ai.sentences import USUAL
from exotel_ws.ai.settings import Ai, BargeIn, Silence
from exotel_ws.responder import HangUp

from .ai_call import GREETING, GREETING_S, Call, at_once

PATIENT = Silence(after_s=600.0)


def test_the_greeting_is_heard_at_once_and_its_words_are_in_the_story() -> None:
    async def call() -> None:
        call = Call()
        assert len(call.exotel.sizes) >= 3
        await call.until(GREETING_S + 0.3)
        assert call.story.said == [(GREETING, True)]
        call.conversation.stopped()

    at_once(call)


def test_a_greeting_is_not_cut_short_by_the_caller_but_what_they_said_is_answered_after_it() -> None:
    async def call() -> None:
        call = Call()
        call.services.answers["are you open?"] = ("Yes, hello!", "")
        await call.say("are you open?", 0.5)
        assert call.exotel.clears == 0
        await call.until(4.0)
        assert call.story.said == [(GREETING, True), ("Yes, hello!", True)]
        assert call.exotel.clears == 0
        call.conversation.stopped()

    at_once(call)


def test_what_is_said_into_the_greeting_is_one_request_and_nothing_is_answered_twice() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.loop.create_task(call.say("I have a question.", 0.4, 0.2))
        await call.until(1.0)
        call.loop.create_task(call.say("When are you open?", 0.4, 0.2))
        await call.until(8.0)
        assert call.services.asked == ["I have a question. When are you open?"]
        assert [text for text, _ in call.story.said] == [GREETING, "You said I have a question. When are you open?."]
        call.conversation.stopped()

    at_once(call)


def test_who_still_speaks_as_the_greeting_ends_is_heard_out() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.loop.create_task(call.say("I have a question.", 0.4, 0.2))
        await call.until(GREETING_S - 0.5)
        await call.say("When are you open?", 1.5)
        assert not call.bot_speaks
        await call.until(8.0)
        assert call.services.asked == ["I have a question. When are you open?"]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize("flow", [None, ["When are you open?"]], ids=["a language model", "a flow"])
def test_what_means_nothing_is_not_answered_after_the_greeting_and_does_not_spoil_what_is(flow: list[str] | None) -> None:
    async def call(*said: str) -> list[str]:
        call = Call(silence=PATIENT, flow=flow)
        for text in said:
            call.loop.create_task(call.say(text, 0.4, 0.2))
            await asyncio.sleep(0.7)
        await call.until(8.0)
        assert not call.bot_speaks
        call.conversation.stopped()
        return call.services.asked

    recorded = "This call is now being recorded."
    assert at_once(lambda: call(recorded)) == []
    assert at_once(lambda: call("Hello?", "Hello?")) == []
    assert at_once(lambda: call(recorded, "When are you open?")) == ["When are you open?"]
    assert at_once(lambda: call("When are you open?", "Hello?")) == ["When are you open?"]


def test_a_hello_after_the_greeting_is_a_turn_like_any_other() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await call.until(GREETING_S + 0.5)
        await call.say("Hello?")
        await asyncio.sleep(3)
        assert call.services.asked == ["Hello?"]
        call.conversation.stopped()

    at_once(call)


def test_silence_after_a_greeting_into_which_nothing_was_asked_is_still_asked_about() -> None:
    async def call() -> None:
        call = Call()
        await call.say("Hello?", 0.4)
        await call.until(GREETING_S + Ai().silence.after_s + 2)
        assert call.story.said[-1][0] == USUAL.prompts[0]
        call.conversation.stopped()

    at_once(call)


def test_a_greeting_may_be_interruptible() -> None:
    async def call() -> None:
        call = Call(greeting_interruptible=True)
        await call.until(0.5)
        await call.say("hello?", 0.5)
        assert call.exotel.clears == 1
        await call.until(4.0)
        assert call.story.said[0] == (GREETING, False)
        assert call.services.asked == ["hello?"]
        call.conversation.stopped()

    at_once(call)


def test_a_greeting_that_is_not_there_yet_is_spoken_in_the_call() -> None:
    async def call() -> None:
        call = Call(greeting=False)
        await call.until(3.0)
        assert call.story.said == [(GREETING, True)]
        call.conversation.stopped()

    at_once(call)


def test_who_presses_a_key_before_the_greeting_is_there_is_answered_at_once() -> None:
    async def call() -> None:
        call = Call(greeting=False)
        call.press("1")
        await call.until(4.0)
        assert call.story.said[-1] == ("You said DTMF: 1.", True)
        call.conversation.stopped()

    at_once(call)


async def answered(call: Call, text: str = "a long answer") -> None:
    """Bring a call past its greeting, into the middle of 5 seconds of answer."""
    call.services.answers[text] = ("x" * 100, "")
    await call.until(GREETING_S + 0.5)
    await call.say(text)
    await asyncio.sleep(2.0)
    assert call.bot_speaks


def test_a_caller_who_interrupts_is_heard_out_and_answered() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        saying = asyncio.create_task(call.say("something else"))
        await asyncio.sleep(0.01)
        assert call.exotel.clears == 1
        assert not call.bot_speaks
        await saying
        await asyncio.sleep(3)
        assert call.exotel.clears == 1
        assert call.story.meant == [True]
        assert call.story.said[1:] == [("x" * 100, False), ("You said something else.", True)]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize("said", ["", "hmm", "Okay.", "uh huh", "Uh-huh.", "Hmmm...", "OKAY, okay."])
def test_a_noise_or_a_nod_does_not_take_the_word_from_the_bot(said: str) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        await call.say(said, 0.4)
        await asyncio.sleep(8)
        assert call.story.meant == [False]
        assert call.story.said[-1] == ("x" * 100, True)
        assert call.services.asked == ["a long answer"]
        assert call.exotel.clears == 1
        call.conversation.stopped()

    at_once(call)


def test_what_is_never_words_stops_the_bot_a_few_times_and_then_only_words_do() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.answers["tell me all"] = ("x" * 800, "")
        await call.until(GREETING_S + 0.5)
        await call.say("tell me all")
        await asyncio.sleep(2)
        for _ in range(6):  # music
            await call.say("", 0.4)
            await asyncio.sleep(2)
        assert call.exotel.clears == 3
        assert call.bot_speaks

        await call.say("stop please")
        await asyncio.sleep(2)
        assert call.exotel.clears == 4
        assert call.services.asked == ["tell me all", "stop please"]

        call.services.answers["more"] = ("x" * 400, "")
        await asyncio.sleep(3)
        await call.say("more")
        await asyncio.sleep(2)
        await call.say("", 0.4)
        assert call.exotel.clears == 5, "a voice stops the bot again, once a caller was heard"
        call.conversation.stopped()

    at_once(call)


def test_on_a_noisy_line_the_bot_says_that_it_is_noisy() -> None:
    async def call() -> None:
        call = Call()
        call.noisy = True
        assert await call.end() == "silence"
        assert [text for text, _ in call.story.said[1:]] == [USUAL.noisy] * len(USUAL.prompts) + [USUAL.noisy_goodbye]

    at_once(call)


def test_a_caller_in_a_clamour_is_told_once_after_the_first_answer() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT))
        call.noisy = call.clamour = True
        await asyncio.sleep(3)
        assert USUAL.noisy not in [text for text, _ in call.story.said], "not before anything was answered"
        for _ in range(2):
            await call.say("hours")
            await asyncio.sleep(9)

        assert [text for text, _ in call.story.said[1:]] == ["You said hours.", USUAL.noisy, "You said hours."]
        call.conversation.stopped()

    at_once(call)


def test_a_caller_beside_a_motor_who_is_understood_is_not_told() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT))
        call.noisy = True
        await asyncio.sleep(3)
        await call.say("hours")
        await asyncio.sleep(9)

        assert [text for text, _ in call.story.said[1:]] == ["You said hours."]
        call.conversation.stopped()

    at_once(call)


def test_a_caller_who_goes_on_as_the_answer_ends_is_not_told_meanwhile() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT))
        call.noisy = call.clamour = True
        await asyncio.sleep(3)
        await call.say("hours")
        call.conversation.user_started()
        await asyncio.sleep(2)

        assert USUAL.noisy not in [text for text, _ in call.story.said]
        call.conversation.stopped()

    at_once(call)


def test_a_caller_in_a_clamour_that_lets_no_answer_end_is_told_before_the_second() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT))
        call.noisy = call.clamour = True
        await asyncio.sleep(3)
        for text in ("hours", "order", "order"):
            assert await call.conversation.meant([text], "") == text
        await asyncio.sleep(9)
        assert [text for text, _ in call.story.said[1:]] == [USUAL.noisy]
        call.conversation.stopped()

    at_once(call)


def test_words_of_the_room_are_not_answered_but_the_noise_is_named() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT), flow=["hours"])
        call.noisy = call.clamour = True
        await asyncio.sleep(3)
        for said in ("the red one and the blue one in town", "hours"):
            await call.say(said)
            await asyncio.sleep(9)
        assert call.services.asked == ["hours"]
        assert [text for text, _ in call.story.said[1:]] == [USUAL.noisy, "You said hours."]
        call.conversation.stopped()

    at_once(call)


def test_who_is_understood_among_words_of_the_room_is_told_before_the_first_answer() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT), flow=["hours"])
        call.noisy = call.clamour = True
        await asyncio.sleep(3)
        said: list[str] = []
        for text in ("Hello. hours", "The red one. hours"):
            said.append(await call.conversation.meant([text], ""))
            await asyncio.sleep(0.2)
            assert call.conversation._noise.told == (text != "Hello. hours")
            call.conversation._noise.answered = False
        assert said == ["Hello. hours", "The red one. hours"]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(("heard_s", "times"), [(0.5, 2), (2.5, 1)], ids=["at its first word", "when it is clear"])
def test_who_talks_over_the_beginning_of_it_is_told_of_the_noise_once_more(heard_s: float, times: int) -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT))
        call.noisy = call.clamour = True
        await asyncio.sleep(3)
        await call.say("hours")
        while USUAL.noisy not in call.conversation._lately:
            await asyncio.sleep(0.05)
        await asyncio.sleep(heard_s)
        await call.say("my order")
        for _ in range(2):
            await asyncio.sleep(9)
            await call.say("my order")
        await asyncio.sleep(9)
        assert [text for text, _ in call.story.said].count(USUAL.noisy) == times
        call.conversation.stopped()

    at_once(call)


def test_the_noise_is_named_where_nothing_that_was_said_became_words() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT))
        call.noisy = True
        await asyncio.sleep(3)
        said: list[bool] = [call.conversation.blames_noise(last=False) for _ in range(2)]
        await asyncio.sleep(9)
        assert said == [True, False], "once"
        assert call.conversation.blames_noise(last=True)
        assert await call.end() == "silence"
        assert [text for text, _ in call.story.said[1:]] == [USUAL.noisy, USUAL.noisy_goodbye]

    at_once(call)


def test_on_a_clear_line_nothing_is_blamed_on_noise() -> None:
    async def call() -> None:
        call = Call()
        assert not any(call.conversation.blames_noise(last=last) for last in (False, True))
        call.conversation.stopped()

    at_once(call)


def test_a_nod_in_letters_with_marks_does_not_take_the_word_either() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT, barge_in=BargeIn(backchannels=["हाँ", "ठीक है"])))
        await answered(call)
        await call.say("हां, ठीक है।", 0.4)
        await asyncio.sleep(8)
        assert call.story.meant == [False]
        assert call.services.asked == ["a long answer"]
        call.conversation.stopped()

    at_once(call)


def test_fewer_words_than_are_asked_for_do_not_interrupt_but_answer_a_question() -> None:
    async def call() -> None:
        call = Call(Ai(silence=PATIENT, barge_in=BargeIn(min_words=2)))
        await answered(call)
        await call.say("stop")
        assert call.story.meant == [False]
        await asyncio.sleep(8)
        await call.say("stop")
        await asyncio.sleep(3)
        assert call.services.asked == ["a long answer", "stop"]
        call.conversation.stopped()

    at_once(call)


NODS = ["Yeah.", "Right.", "I see.", "Yes.", "Haan.", "Han!", "Achha.", "And then, huh?", "Theek hai.", "ठीक है।", "Yeah, I see."]


@pytest.mark.parametrize("said", NODS)
@pytest.mark.parametrize("flow", [None, ["Yes.", "Yeah."]], ids=["a language model", "a flow that knows yes"])
def test_what_listeners_say_does_not_take_the_word_either(said: str, flow: list[str] | None) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT, flow=flow)
        await answered(call)
        await call.say(said, 0.4)
        await asyncio.sleep(8)
        assert call.story.said[-1] == ("x" * 100, True)
        assert call.services.asked == ["a long answer"]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("voice_s", "text", "goes_on"),
    [(0.4, "", True), (0.4, "Okay.", True), (0.4, "Stop.", False), (0.7, "", True), (1.2, "", False)],
    ids=["a sound", "a nod", "a wish", "a longer sound", "speech"],
)
def test_a_short_voice_holds_the_bot_no_longer_than_it_lasts_though_its_words_come_late(
    voice_s: float, text: str, goes_on: bool
) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        events = call.conversation
        events.user_started()
        await asyncio.sleep(voice_s)
        assert not call.bot_speaks
        events.user_hushed()
        await asyncio.sleep(0.15)
        assert call.bot_speaks == (voice_s < 1)
        if text:
            events.user_seems(text)
            await asyncio.sleep(0.01)
            events.user_hushed()
            await asyncio.sleep(0.15)
        assert call.bot_speaks == goes_on
        events.stopped()

    at_once(call)


def test_a_short_voice_that_may_answer_a_question_is_waited_for() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.answers["a long answer"] = (f"{'x' * 100}. Shall I?", "")
        await call.until(GREETING_S + 0.5)
        await call.say("a long answer")
        await asyncio.sleep(2.0)
        call.conversation.user_started()
        await asyncio.sleep(0.4)
        call.conversation.user_hushed()
        await asyncio.sleep(0.15)
        assert not call.bot_speaks
        call.conversation.stopped()

    at_once(call)


def test_who_nods_again_and_again_stops_the_bot_with_the_first_sound_of_a_question() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.answers["a long answer"] = ("x" * 400, "")
        await call.until(GREETING_S + 0.5)
        await call.say("a long answer")
        await asyncio.sleep(2.0)
        for _ in range(4):
            await call.say("Yeah.", 0.4)
            await asyncio.sleep(1.0)
        assert call.story.meant == [False] * 4
        saying = asyncio.create_task(call.say("something else"))
        await asyncio.sleep(0.01)
        assert not call.bot_speaks
        await saying
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("said", "flow", "takes_the_word"),
    [
        ("An agent.", ["An agent."], True),
        ("Hun ye, uh.", ["An agent."], False),
        ("They take it, you know.", ["An agent."], False),
        ("I was asking for something else.", ["An agent."], True),
        ("Stop!", ["An agent."], True),
        ("An agent.", None, True),
    ],
    ids=[
        "a short wish",
        "a sound taken for words",
        "for more",
        "a sentence that nobody understands",
        "stop",
        "a model has no list",
    ],
)
def test_a_few_words_over_the_bot_take_the_word_if_the_flow_makes_something_of_them(
    said: str, flow: list[str] | None, takes_the_word: bool
) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT, flow=flow)
        await answered(call)
        await call.say(said, 0.4)
        await asyncio.sleep(8)
        assert call.story.meant == [takes_the_word]
        assert call.services.asked == ["a long answer", said][: 1 + takes_the_word]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("asking", "said", "answers"),
    [
        *((True, said, True) for said in ("Yes.", "Okay.", "Oh yes.", "That's right.", "Mm, okay.", "Yeah, good.")),
        *((True, said, False) for said in ("Mm-hmm.", "I see.")),
        (False, "Yes.", False),
    ],
)
def test_a_yes_over_the_bot_answers_what_it_is_just_asking(asking: bool, said: str, answers: bool) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.answers["a long answer"] = ("x" * 100 + "?."[not asking], "")
        await call.until(GREETING_S + 0.5)
        await call.say("a long answer")
        await asyncio.sleep(2.0)
        await call.say(said, 0.4)
        await asyncio.sleep(8)
        assert call.services.asked == ["a long answer", said][: 1 + answers]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize("said", ["Yes.", "Tomorrow."])
def test_who_answers_before_the_questions_mark_is_back_has_answered(said: str) -> None:
    """Its sound is over by the clock; the network brings the mark later."""

    async def call() -> None:
        call = Call(silence=PATIENT, flow=["a long answer"])
        call.exotel.delay_s = 0.3
        call.services.answers["a long answer"] = ("x" * 19 + "?", "")
        await call.until(GREETING_S + 1.0)
        await call.say("a long answer")
        await asyncio.sleep(0.3 + 0.1 + 1.0 + 0.05)
        assert call.story.said[-1][0] == GREETING, "the mark is not back"
        await call.say(said, 0.4)
        await asyncio.sleep(4)
        assert call.services.asked == ["a long answer", said]
        assert call.story.meant == [], "nothing was interrupted"
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("greeting", "asked"),
    [("Hello, is this Mr. Rao?", ["Yes."]), ("Hello, how can I help?", []), ("नमस्ते, मैं आपकी कैसे मदद कर सकता हूँ?", [])],
)
@pytest.mark.parametrize("interruptible", [False, True])
def test_a_yes_into_a_greeting_answers_it_if_it_asks_for_one(greeting: str, asked: list[str], interruptible: bool) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT, greeting_text=greeting, greeting_interruptible=interruptible)
        await call.until(GREETING_S - 1.2)
        await call.say("Yes.", 0.3)
        await call.until(8.0)
        assert call.services.asked == asked
        call.conversation.stopped()

    at_once(call)


def test_a_nod_whose_words_come_late_takes_no_turn_either() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        await call.say("", 0.4, turn_end_s=1.3)
        call.conversation.user_heard()
        call.conversation.user_stopped("Mm-hmm.")
        await call.services.turn("Mm-hmm.")
        await asyncio.sleep(8)
        assert call.services.asked == ["a long answer"]
        assert call.story.meant == [False]
        call.conversation.stopped()

    at_once(call)


def test_a_noise_that_comes_and_goes_holds_the_bot_back_no_longer_than_one_that_stays() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        for _ in range(20):
            call.conversation.user_started()
            await asyncio.sleep(0.5)
            call.conversation.user_paused()
            await asyncio.sleep(0.3)
            if call.story.meant:
                break
        assert call.story.meant == [False]
        call.conversation.stopped()

    at_once(call)


def test_a_nod_is_an_answer_where_the_bot_is_silent() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await call.until(GREETING_S + 0.5)
        await call.say("okay")
        await asyncio.sleep(3)
        assert call.services.asked == ["okay"]
        call.conversation.stopped()

    at_once(call)


def test_a_line_that_is_never_quiet_does_not_silence_the_bot_for_ever() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        call.conversation.user_started()
        await asyncio.sleep(20)
        assert call.story.said[-1] == ("x" * 100, True)
        call.conversation.stopped()

    at_once(call)


def test_a_caller_who_speaks_on_while_the_bot_thinks_is_not_talked_over() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.thinking_s = 1.0
        await call.until(GREETING_S + 0.5)
        await call.say("where is")
        before = len(call.exotel.sizes)
        await call.say("my order", 2.0)
        assert len(call.exotel.sizes) == before
        await asyncio.sleep(4)
        assert call.story.said[-1] == ("You said where is my order.", True)
        assert call.services.asked == ["where is", "where is my order"]
        assert call.exotel.clears == 0
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("goes_on_after_s", "joined"),
    [(0.3, True), (0.8, True), (1.1, False)],
    ids=["before it was heard", "at its first word", "over it"],
)
def test_who_goes_on_before_the_answer_could_be_grasped_has_said_one_thing(goes_on_after_s: float, joined: bool) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.thinking_s = 0.1
        await call.until(GREETING_S + 0.5)
        await call.say("where is")
        await asyncio.sleep(goes_on_after_s)
        assert call.bot_speaks, "as the caller is noticed only after a while, they may have begun before"
        await call.say("my order")
        await asyncio.sleep(4)
        assert call.services.asked == ["where is", "where is my order" if joined else "my order"]
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize("goes_on_after_s", [0.0, 0.3])
def test_the_rest_of_a_sentence_is_no_remark_though_the_flow_makes_nothing_of_it_alone(goes_on_after_s: float) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT, flow=["where is"])
        call.services.thinking_s = 0.1
        await call.until(GREETING_S + 0.5)
        await call.say("where is")
        await asyncio.sleep(goes_on_after_s)
        events = call.conversation
        events.user_started()
        await asyncio.sleep(0.4)
        events.user_seems("my order")
        await asyncio.sleep(0.1)
        assert not call.bot_speaks, "it does not go on with the answer to the first half"
        events.user_heard()
        events.user_paused()
        events.user_stopped("my order")
        await call.services.turn("my order")
        await asyncio.sleep(4)
        assert call.services.asked == ["where is", "where is my order"]
        assert call.story.turns == 1
        call.conversation.stopped()

    at_once(call)


def test_a_nod_at_the_first_word_of_an_answer_is_no_part_of_what_was_asked() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT, flow=["where is it"])
        call.services.thinking_s = 0.1
        await call.until(GREETING_S + 0.5)
        await call.say("where is it")
        await asyncio.sleep(0.3)
        await call.say("okay", 0.4)
        await asyncio.sleep(4)
        assert call.services.asked == ["where is it"]
        assert call.story.said[-1] == ("You said where is it.", True)
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("said", "asks"),
    [("Is there anything else?", True), ("It comes tomorrow. Is that right?", True), ("What else?", False), ("It comes.", False)],
)
def test_the_turns_end_knows_if_the_bot_asked_for_a_yes_or_no(said: str, asks: bool) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.answers["where is it"] = (said, "")
        await call.until(GREETING_S + 0.5)
        assert not call.conversation.asks()
        await call.say("where is it")
        assert not call.conversation.asks(), "what was asked before is answered"
        await asyncio.sleep(4)
        assert call.conversation.asks() is asks
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("keys", "inputs"),
    [("1", ["DTMF: 1"]), ("12", ["DTMF: 12"]), ("1234#5", ["DTMF: 1234", "DTMF: 5"]), ("#", ["DTMF: #"]), ("*0#", ["DTMF: *0"])],
)
def test_keys_in_quick_succession_are_one_input(keys: str, inputs: list[str]) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await call.until(GREETING_S + 0.5)
        call.press(keys)
        await asyncio.sleep(1.5)
        assert call.services.asked == inputs
        await asyncio.sleep(3)
        call.conversation.stopped()

    at_once(call)


def test_keys_that_come_slowly_are_inputs_of_their_own() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await call.until(GREETING_S + 0.5)
        for key in "12":
            call.press(key)
            await asyncio.sleep(0.9)
        await asyncio.sleep(2)
        assert call.services.asked == ["DTMF: 12"]
        call.press("3")
        await asyncio.sleep(3)
        assert call.services.asked == ["DTMF: 12", "DTMF: 3"]
        call.conversation.stopped()

    at_once(call)


def test_a_noise_before_a_key_does_not_bring_back_the_answer_that_the_key_replaces() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        call.services.thinking_s = 1.0
        await call.until(GREETING_S + 0.5)
        await call.say("what")
        call.conversation.user_started()
        call.conversation.user_paused()
        await asyncio.sleep(0.6)
        before = len(call.exotel.sizes)
        call.press("1")
        await asyncio.sleep(0.95)
        assert len(call.exotel.sizes) == before
        await asyncio.sleep(4)
        assert call.story.said[-1] == ("You said DTMF: 1.", True)
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize("when", ["greeting", "answer"])
def test_a_key_stops_what_the_bot_says_at_once(when: str) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await (answered(call) if when == "answer" else call.until(0.5))
        call.press("1")
        assert call.exotel.clears == 1
        assert not call.bot_speaks
        await asyncio.sleep(0.9)
        assert not call.bot_speaks
        await asyncio.sleep(4)
        assert call.story.said[-1] == ("You said DTMF: 1.", True)
        assert call.exotel.clears == 1
        call.conversation.stopped()

    at_once(call)


def test_a_caller_who_says_nothing_is_asked_twice_and_told_goodbye() -> None:
    async def call() -> None:
        call = Call()
        assert await call.end() == "silence"
        assert call.story.said == [(text, True) for text in (GREETING, *USUAL.prompts, USUAL.silent)]
        spoken_s = GREETING_S + sum(len(text) * 0.05 for text in (*USUAL.prompts, USUAL.silent))
        assert call.hung_up_at == pytest.approx(3 * Ai().silence.after_s + spoken_s, abs=2)

    at_once(call)


def test_a_cough_is_no_answer_and_silence_after_it_is_still_asked_about() -> None:
    async def call() -> None:
        call = Call()
        await call.until(GREETING_S + 3)
        await call.say("", 0.3)
        await asyncio.sleep(12)
        assert call.story.said[-1][0] == USUAL.prompts[0]
        call.conversation.stopped()

    at_once(call)


def test_who_answers_is_counted_as_silent_anew() -> None:
    async def call() -> None:
        call = Call()
        await call.until(18)
        await call.say("wait")
        assert len(call.story.said) >= 2
        await asyncio.sleep(12)
        assert call.story.said[-1][0] == USUAL.prompts[0]
        call.conversation.stopped()

    at_once(call)


def test_silence_ends_the_call_though_the_voice_fails() -> None:
    async def call() -> None:
        call = Call()
        call.services.voice_works = False
        assert await call.end() == "silence"
        assert call.hung_up_at < 60

    at_once(call)


@pytest.mark.parametrize("voice_works", [True, False])
def test_a_call_has_a_longest_time_whatever_goes_on(voice_works: bool) -> None:
    async def call() -> None:
        call = Call(max_call_s=30.0, silence=PATIENT)
        await call.until(28)
        call.services.answers["tell me a story"] = ("x" * 500, "")
        saying = asyncio.create_task(call.say("tell me a story"))
        await call.until(29.9)
        call.services.voice_works = voice_works
        assert await call.end() == "time_up"
        await saying
        heard = [text for text, heard in call.story.said if heard]
        assert (heard[-1] == USUAL.time_up) is voice_works
        assert call.hung_up_at < 40

    at_once(call)


async def asked_to_end(call: Call, answer: str = "Goodbye then.", tool: str = "hang_up") -> None:
    call.services.answers["bye"] = (answer, tool)
    await call.until(GREETING_S + 0.5)
    await call.say("bye")


@pytest.mark.parametrize("tool", ["hang_up", "transfer"])
@pytest.mark.parametrize("marks", [True, False])
def test_the_goodbye_is_heard_before_the_stream_ends(tool: str, marks: bool) -> None:
    async def call() -> None:
        call = Call(marks=marks)
        await asked_to_end(call, tool=tool)
        assert await call.end() == tool
        assert call.story.said[-1] == ("Goodbye then.", True)
        assert not call.bot_speaks
        assert call.story.tools == [tool]
        assert call.story.outcome == ""
        await asyncio.sleep(0)
        assert call.story.outcome == tool
        late_s = call.hung_up_at - (GREETING_S + 0.5 + 1.4 + 0.4 + len("Goodbye then.") * 0.05)
        assert late_s < (0.3 if marks else 3.0)

    at_once(call)


@pytest.mark.parametrize(("tool", "applet"), [("hang_up", "end"), ("transfer", "transfer")])
def test_the_next_applet_is_known_before_the_stream_is_closed(tool: str, applet: str) -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        assert call.applets == ["end"], "a worker that dies can't say it later"
        await call.until(GREETING_S + 0.5)
        call.services.answers["do it"] = ("Alright.", tool)
        await call.say("do it")
        async with asyncio.timeout(30):
            while len(call.applets) < 2:
                await asyncio.sleep(0.05)
        assert call.hung_up is None, "Exotel may ask as soon as it sees the close"
        await call.end()
        assert call.applets == ["end", applet]

    at_once(call)


def test_a_call_that_the_bot_does_not_end_goes_where_a_failed_one_does() -> None:
    async def call() -> None:
        call = Call(failure=msgspec.structs.replace(Ai().failure, then="transfer"))
        assert call.applets == ["transfer"]
        call.hang_up(HangUp(1001, "the server goes away"))
        await call.until(1.0)
        assert call.applets == ["transfer"]

    at_once(call)


@pytest.mark.parametrize(("tool", "goodbye"), [("hang_up", USUAL.goodbye), ("transfer", USUAL.transferring)])
def test_a_model_that_ends_the_call_without_a_word_is_not_rude(tool: str, goodbye: str) -> None:
    async def call() -> None:
        call = Call()
        await asked_to_end(call, "", tool)
        assert await call.end() == tool
        assert call.story.said[-1] == (goodbye, True)

    at_once(call)


def test_a_caller_who_talks_and_types_over_the_goodbye_changes_nothing() -> None:
    async def call() -> None:
        call = Call()
        await asked_to_end(call, "x" * 60)
        await asyncio.sleep(1.0)
        talking = asyncio.create_task(call.say("no wait, one more thing"))
        call.press("12#")
        assert await call.end() == "hang_up"
        await talking
        assert call.exotel.clears == 0
        assert call.story.said[-1] == ("x" * 60, True)
        assert call.services.asked == ["bye"]

    at_once(call)


def test_a_caller_who_speaks_as_the_model_ends_the_call_hears_the_goodbye_all_the_same() -> None:
    async def call() -> None:
        call = Call()
        call.services.thinking_s = 1.0
        await asked_to_end(call)
        call.conversation.user_started()
        assert await call.end() == "hang_up"
        assert call.story.said[-1] == ("Goodbye then.", True)

    at_once(call)


def test_a_goodbye_that_is_never_spoken_is_not_waited_for() -> None:
    async def call() -> None:
        call = Call()
        call.services.voice_works = False
        await asked_to_end(call)
        assert await call.end() == "hang_up"
        assert call.hung_up_at < 12

    at_once(call)


def test_a_goodbye_without_end_has_one() -> None:
    async def call() -> None:
        call = Call()
        await asked_to_end(call, "x" * 5000)
        assert await call.end() == "hang_up"
        assert call.hung_up_at < 70

    at_once(call)


def test_what_is_said_when_all_has_failed_is_heard_to_its_end_and_nothing_after_it() -> None:
    async def call() -> None:
        call = Call(silence=PATIENT)
        await answered(call)
        call.conversation.give_up("Sorry.", b"\2\2" * 8000, "transfer")
        call.services.say("not heard any more")
        assert await call.end() == "transfer"
        await asyncio.sleep(0)
        assert call.story.said[-1] == ("Sorry.", True)
        assert call.exotel.heard.endswith(b"\2\2")
        assert call.story.outcome == "failed"

    at_once(call)


async def greeting(call: Call) -> None:
    await call.until(0.5)


async def listening(call: Call) -> None:
    await call.until(GREETING_S + 2)


async def caller_speaking(call: Call) -> None:
    await call.until(GREETING_S + 2)
    call.conversation.user_started()


async def thinking(call: Call) -> None:
    call.services.thinking_s = 100.0
    await call.until(GREETING_S + 0.5)
    await call.say("what")


async def paused(call: Call) -> None:
    await answered(call)
    call.conversation.user_started()


async def typing(call: Call) -> None:
    await call.until(GREETING_S + 0.5)
    call.press("12")


async def waiting_to_answer(call: Call) -> None:
    call.loop.create_task(call.say("hello", 0.3))
    await call.until(1.0)


async def prompting(call: Call) -> None:
    await call.until(GREETING_S + 7.5)


async def saying_goodbye(call: Call) -> None:
    await asked_to_end(call, "x" * 60)
    await asyncio.sleep(1.0)


STATES = [greeting, listening, caller_speaking, thinking, answered, paused, typing, waiting_to_answer, prompting, saying_goodbye]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("by_us", [False, True])
def test_a_stream_that_ends_in_any_state_leaves_no_task_and_no_timer(state: Callable[[Call], Any], by_us: bool) -> None:
    async def call() -> None:
        call = Call()
        await state(call)
        if by_us:
            call.hang_up(HangUp(1001, "drained"))
        else:
            call.conversation.stopped()
        await asyncio.sleep(0.01)
        call.exotel.forget_marks()
        assert not [timer for timer in call.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        call.conversation.stopped()
        messages = len(call.exotel.messages)
        await asyncio.sleep(1200)
        assert call.ended == 1
        assert len(call.exotel.messages) == messages
        assert call.story.outcome == ("hang_up" if state is saying_goodbye else "drained" if by_us else "caller")

    at_once(call)


def test_a_dialogue_that_breaks_ends_its_call_and_no_other() -> None:
    async def call() -> None:
        broken, other = Call(), Call()
        broken.services._jobs.put_nowait(None)  # type: ignore[arg-type]
        broken.services._do = None  # type: ignore[assignment,method-assign]
        assert await broken.end() == "hang_up"
        await asyncio.sleep(0.1)
        assert broken.story.said[-1] == (USUAL.apology, True)
        assert broken.story.outcome == "failed"
        assert await other.end() == "silence"

    at_once(call)


def test_the_caller_is_listened_to_from_the_first_message() -> None:
    async def call() -> None:
        call = Call()
        for _ in range(50):
            call.hear(b"\1\0" * 160)
        assert call.services.heard == pytest.approx(32_000, rel=0.1)
        call.conversation.stopped()

    at_once(call)


@pytest.mark.parametrize(
    ("hang_up", "outcome"),
    [
        (HangUp(1000, "longer than limits.max_call_s"), "time_up"),
        (HangUp(1001, "the server goes away"), "drained"),
        (HangUp(1008, "no media for 30 s", "no_media"), "no_media"),
        (HangUp(1008, "more than 60 malformed messages", "malformed"), "other"),
        (HangUp(1011, "internal error"), "failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_call_that_the_server_ends_has_the_reason_as_its_outcome(hang_up: HangUp, outcome: str) -> None:
    async def call() -> None:
        call = Call()
        await call.until(GREETING_S + 1.0)
        call.hang_up(hang_up)
        await asyncio.sleep(0.1)
        assert call.story.outcome == outcome
        assert call.story._tally.ended[outcome] == 1

    at_once(call)
