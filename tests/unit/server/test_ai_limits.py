"""Parts that bound one caller's use of AI mode, each by itself."""

import asyncio
import json
from typing import Any

import pytest
from exotel_ws import modes
from exotel_ws.admission.bucket import Bucket
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.context import bounded, replaced, size, unasked
from exotel_ws.ai.keypad import Keypad
from exotel_ws.ai.late import LateDialogue, Workshop
from exotel_ws.ai.settings import Ai, AiLimits
from exotel_ws.ai.wishes import wishes
from exotel_ws.call import Call, HangUp
from exotel_ws.echo.mode import Echo
from exotel_ws.handshake import Target
from exotel_ws.metrics.tally import BOUNDS, Tally
from exotel_ws.protocol import Start
from exotel_ws.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

from .ai_call import at_once


def turn(said: str, answer: str, *tools: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [{"role": "user", "content": said}]
    for number, result in enumerate(tools):
        function = {"name": "webhook", "arguments": "{}"}
        made.append({"role": "assistant", "tool_calls": [{"id": str(number), "type": "function", "function": function}]})
        made.append({"role": "tool", "tool_call_id": str(number), "content": result})
    return [*made, {"role": "assistant", "content": answer}] if answer else made


TURN = st.builds(
    lambda said, answer, tools: turn(said, answer, *tools),
    st.text(min_size=1, max_size=400),
    st.text(min_size=1, max_size=400),
    st.lists(st.text(max_size=900), max_size=3),
)


@given(st.lists(TURN, max_size=8), st.text(min_size=1, max_size=3000))
def test_any_dialogue_fits_and_keeps_whole_turns_and_the_last(turns: list[list[dict[str, Any]]], last: str) -> None:
    rules = [{"role": "system", "content": "Be short."}]
    messages = [*rules, {"role": "assistant", "content": "Hello"}, *(message for turn in turns for message in turn)]
    messages.append({"role": "user", "content": last})
    before = json.dumps(messages)
    told = bounded(messages, 1500, 500)
    assert json.dumps(messages) == before, "what was given is not changed"
    assert size(told) <= 1500
    assert told[0] == rules[0]
    assert told[-1] == {"role": "user", "content": last[-500:]}
    calls = {call["id"] for message in told for call in message.get("tool_calls", ())}
    assert {message["tool_call_id"] for message in told if message["role"] == "tool"} <= calls
    if len(told) < len(messages):
        assert told[1]["role"] == "user", "whole turns are left out"


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text} for text in texts]


def test_what_the_model_was_not_asked_yet_is_found_by_its_place_and_not_by_its_words() -> None:
    asked, *new = said("yes", "yes", "yes")
    assert unasked([*turn("hello", "Hello!"), asked, *new], asked) == (new, asked)
    assert unasked([*new], asked) == (new, None)
    assert unasked([asked, {"role": "assistant", "content": "Well."}, *new], asked) == (new, None)
    assert unasked([asked], asked) == ([], asked)
    assert unasked([], None) == ([], None)


def test_of_several_messages_one_is_made_where_the_first_was() -> None:
    first, second, third = said("where is", "my", "order")
    whole = {"role": "user", "content": "where is my order"}
    assert replaced([*turn("a", "b"), first, second, third], [first, second], whole) == [*turn("a", "b"), whole, third]
    assert replaced([first, second], [first, second], None) == []
    assert replaced([first], [second], None) == [first]


def test_a_dialogue_that_fits_is_the_same_object() -> None:
    messages = turn("Hello?", "Hello!")
    assert bounded(messages, 1000, 100) is messages


def test_results_of_tools_are_cut_when_the_last_turn_alone_is_too_long() -> None:
    told = bounded(turn("Well?", "", "a" * 4000, "b" * 4000), 5000, 100)
    assert size(told) <= 5000
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "assistant", "tool"]
    assert told[-1]["content"] == "b" * 4000, "the newest is kept longest"


class Seconds:
    """Clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_requests_come_back_by_the_minute_and_what_is_owed_is_paid_first() -> None:
    clock = Seconds()
    allowance = Allowance(AiLimits(requests_per_minute=6, requests_at_once=2), clock)
    assert [allowance.request() for _ in range(3)] == ["", "", "ai_requests"]
    clock.now += 10
    assert [allowance.request(), allowance.request()] == ["", "ai_requests"]
    for _ in range(3):
        allowance.request_again()
    clock.now += 30
    assert allowance.request() == "ai_requests"
    clock.now += 10
    assert allowance.request() == ""


def test_calls_that_have_proven_nothing_share_the_requests_of_one() -> None:
    """Many short connections of one source get no more than one long connection."""
    clock = Seconds()
    limits = AiLimits(requests_per_minute=6, requests_at_once=2)
    share: Bucket | None = Bucket(limits.requests_per_minute / 60, limits.requests_at_once, clock.now)
    calls = [Allowance(limits, clock, lambda: share) for _ in range(3)]
    assert [call.request() for call in calls] == ["", "", "ai_requests"]
    clock.now += 10
    calls[0].request_again()
    assert calls[2].request() == "ai_requests", "a further request of a turn counts too"
    share = None
    assert [calls[2].request() for _ in range(3)] == ["", "", "ai_requests"], "a proven call has its own, untouched"


@pytest.mark.parametrize("shared", [False, True])
def test_a_request_ahead_of_a_turn_leaves_one_for_the_turn_and_counts_if_it_was_in_vain(shared: bool) -> None:
    clock = Seconds()
    limits = AiLimits(requests_per_minute=6, requests_at_once=3 if not shared else 100, requests_per_call=5)
    share = Bucket(0.1, 3, clock.now) if shared else None
    allowance = Allowance(limits, clock, lambda: share)
    assert [allowance.request_ahead() for _ in range(3)] == [True, True, False]
    assert allowance.request() == ""
    allowance.request_back()
    assert [allowance.request(), allowance.request()] == ["", "ai_requests"]
    clock.now += 30
    assert [allowance.request_ahead(), allowance.request_ahead()] == [True, False], "three of five are used"
    assert [allowance.request(), allowance.request()] == ["", "ai_requests_call"]


def test_a_call_has_so_many_requests_and_characters() -> None:
    clock = Seconds()
    allowance = Allowance(AiLimits(requests_per_call=2, speech_characters_per_call=500), clock)
    assert [allowance.request() for _ in range(3)] == ["", "", "ai_requests_call"]
    assert [allowance.speak(400), allowance.speak(400), allowance.speak(1)] == ["", "", "ai_speech_call"]


def test_each_bound_of_an_allowance_is_counted() -> None:
    names = {"requests", "requests_call", "speech", "speech_call", "context", "starts", "names"}
    assert {f"ai_{name}" for name in names} <= set(BOUNDS)


@pytest.mark.parametrize(
    ("presses", "told"),
    [
        ([(0, "1"), (0.2, "2"), (0.4, "#")], [(0.4, "12")]),
        ([(0, "#")], [(0, "#")]),
        ([(0, "1")], [(1.0, "1")]),
        ([(0, "#"), (0.1, "#"), (0.2, "#")], [(0, "#"), (1.2, "#")]),
        ([(0, "1"), (0.1, "#"), (0.2, "2"), (0.3, "#")], [(0.1, "1"), (1.3, "2")]),
        ([(0, "1"), (0.1, "#"), (1.2, "2"), (1.3, "#")], [(0.1, "1"), (1.3, "2")]),
        ([(at / 10, "5") for at in range(100)], [(3.1, "5" * 32), (10.9, "5" * 32)]),
    ],
)
def test_keys_without_a_pause_are_one_input(presses: list[tuple[float, str]], told: list[tuple[float, str]]) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        heard: list[tuple[float, str]] = []
        keypad = Keypad(loop)
        keypad.on_keys = lambda keys: heard.append((round(loop.time() - began, 1), keys))
        for at, key in presses:
            await asyncio.sleep(began + at - loop.time())
            keypad.press(key)
        await asyncio.sleep(3)
        assert heard == told

    at_once(test)


@pytest.mark.parametrize(
    ("parameters", "language", "voice", "unusable"),
    [
        ({"language": "HI-in", "voice": "Anushka"}, "hi-IN", "anushka", ()),
        ({"language": "hi"}, "hi-IN", "", ()),
        ({"language": "hi-Latn"}, "", "", ("language",)),
        ({"voice": "../../"}, "", "", ("voice",)),
        ({"voice": "..%2F..%2F"}, "", "", ("voice",)),
        ({"voice": "anushka/../expensive"}, "", "", ("voice",)),
        ({"voice": "a" * 65}, "", "", ("voice",)),
        ({"voice": "expensive"}, "", "", ("voice",)),
        ({"voice": "anushka?model=big"}, "", "", ("voice",)),
        ({"language": "ta-IN"}, "", "", ("language",)),
        ({"language": "hi-IN/../x"}, "", "", ("language",)),
        ({"model": "gpt-9", "stt": "x", "tts": "../.."}, "", "", ()),
    ],
)
def test_a_call_chooses_among_the_names_that_are_allowed(
    parameters: dict[str, str], language: str, voice: str, unusable: tuple[str, ...]
) -> None:
    start = Start("s1", custom_parameters=parameters)
    assert wishes(start, ["en", "hi-IN"], ["anushka"]) == (language, voice, unusable)


@pytest.mark.parametrize("name", ["../../", "a/b", "a\\b", "..", "a..b", "a b", "a\n", "ä", "a%2e", "?x", "#", "a" * 65])
def test_a_name_of_a_strange_form_is_none_whatever_is_allowed(name: str) -> None:
    assert wishes(Start("s1", custom_parameters={"voice": name, "language": name}), None, None)[:2] == ("", "")
    assert wishes(Start("s1", custom_parameters={"voice": name}), [], [name]).voice == ""


@pytest.mark.parametrize(("name", "begun", "bound"), [("ai", 4, "ai_starts"), ("echo", 51, "restarts")])
def test_a_stream_begins_anew_a_few_times_where_each_time_makes_a_bot(name: Any, begun: int, bound: str) -> None:
    made = []
    mode = modes.make(Settings(mode=name))
    call = Call(
        *("conn_1", "203.0.113.9", Target("/", {}), Settings(mode=name), Tally()),
        most_restarts=mode.most_restarts,
        respond=lambda start, writer, _rate: made.append(start) or Echo(writer),  # type: ignore[func-returns-value]
        clock=lambda: 100.0,
    )

    def packet() -> None:
        for _ in range(60):
            call.receive('{"event":"start","stream_sid":"s","start":{}}')

    with pytest.raises(HangUp) as closed:
        packet()
    assert (closed.value.code, closed.value.bound, len(made)) == (1008, bound, begun)


EVENTS: Any = None
"""Events of a `Made`, which has none."""


class Made:
    """Stand-in for a dialogue."""

    in_words = True

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.started.set()
        self.heard: list[Any] = []
        self.say = self.told = self.hear = self.heard.append

    async def run(self) -> None:
        await asyncio.Event().wait()


class Mouth:
    """Mouth that expects nothing."""

    def expect(self) -> None: ...


def test_dialogues_are_made_one_at_a_time_and_the_loop_turns_between() -> None:
    async def test() -> None:
        turns = 0
        made: list[int] = []

        async def count() -> None:
            nonlocal turns
            while len(made) < 51:
                turns += 1
                await asyncio.sleep(0)

        def make(_events: Any) -> Any:
            made.append(turns)
            return Made()

        workshop = Workshop()
        calls = [LateDialogue(make, workshop, Mouth()) for _ in range(51)]  # type: ignore[arg-type]
        running = [asyncio.create_task(count()), *(asyncio.create_task(call.run(EVENTS)) for call in calls)]
        await asyncio.sleep(0.1)
        assert len(made) == len(set(made)) == 51, "never two in one turn of the loop"
        for task in running:
            task.cancel()

    at_once(test)


def test_a_call_that_is_over_before_its_turn_makes_no_dialogue() -> None:
    async def test() -> None:
        made: list[Made] = []

        def make(_events: Any) -> Any:
            made.append(Made())
            return made[-1]

        workshop = Workshop()
        running = []
        for number in range(51):  # as 51 starts in one packet: each ends the one before
            late = LateDialogue(make, workshop, Mouth())  # type: ignore[arg-type]
            late.say(f"greeting {number}")
            late.told("DTMF: 1")
            if running:
                running[-1].cancel()
            running.append(asyncio.create_task(late.run(EVENTS)))
        await asyncio.sleep(0.1)
        assert len(made) == 1
        assert made[0].heard == ["greeting 50", "DTMF: 1"], "what came before is not lost"
        late.told("DTMF: 2")
        assert made[0].heard[-1] == "DTMF: 2"
        running[-1].cancel()

    at_once(test)


def test_the_settings_of_the_shipped_server_allow_what_is_configured_alone() -> None:
    assert (Ai().languages, Ai().voices) == ([], [])
