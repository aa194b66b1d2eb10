"""Answers of the scripted flow, and its endpoint as a client of OpenAI's meets it."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from exotel_ws.ai.embedded.models import example_flow
from exotel_ws.ai.scripted import flow, vocabulary
from exotel_ws.ai.scripted.endpoint import MOST_AT_ONCE, MOST_BYTES, Endpoint
from exotel_ws.ai.scripted.likeness import Examples, Then
from exotel_ws.ai.scripted.script import Answer, Script
from exotel_ws.ai.scripted.vocabulary import words
from openai import APIStatusError, AsyncOpenAI, BadRequestError, NotFoundError

FLOW = flow.parse(
    """
greeting: {en: Hello., hi: नमस्ते।}
fallback:
  - say: {en: Sorry., hi: माफ़ कीजिए।}
  - say: ["Shall I connect you to an agent?", "An agent then?"]
    next: {yes: agent, no: options}
  - say: I give up.
    then: hang_up
intents:
  hours:
    examples: [opening hours, when are you open, आप कब खुलते हैं]
    dtmf: 1
    say: {en: [From nine to six., "Nine to six, as I said."], hi: नौ से छह बजे तक।}
  callback:
    examples: [call me back]
    say: Shall we call this number?
    next: {yes: booked}
  booked:
    say: It is noted.
  balance:
    examples: [what is my balance]
    dtmf: "42"
    say: One moment.
    webhook: true
    otherwise: I can not see it now.
  agent:
    examples: [talk to an agent, human]
    dtmf: 0
    say: I connect you.
    then: transfer
  options:
    say: Hours, or an agent.
  yes:
    examples: [yes, sure]
    say: Yes what?
  no:
    examples: [no]
    say: Goodbye.
    then: hang_up
  repeat:
    examples: [pardon, say that again]
    repeat: true
"""
)
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("hang_up", "transfer", "webhook")]

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def talk(*said: str, language: str = "en") -> list[Answer]:
    """Return the answers of a whole call, each asked for with the whole history, as of a stateless endpoint."""
    script = Script(FLOW)
    messages: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": "Hello."}]
    answers = []
    for text in said:
        messages.append(user(text))
        answers.append(script.answer(messages, language))
        messages.append({"role": "assistant", "content": answers[-1].say})
    return answers


def test_nobody_has_said_anything_yet() -> None:
    assert Script(FLOW).answer([], "hi") == Answer("greeting", "नमस्ते।")


@pytest.mark.parametrize(
    ("said", "intent", "tool"),
    [
        ("When are you open?", "hours", ""),
        ("um, hello, when're you open please", "hours", ""),
        ("Opening our", "hours", ""),
        ("DTMF: 1", "hours", ""),
        ("आप कब खुलते हैं?", "hours", ""),
        ("I want to talk to a human", "agent", "transfer"),
        ("DTMF: 0", "agent", "transfer"),
        ("No.", "no", "hang_up"),
        ("DTMF: 7", "fallback", ""),
        ("DTMF: 11", "fallback", ""),
        ("There is no water in the kitchen", "fallback", ""),
        ("", "greeting", ""),
        ("...", "fallback", ""),
        ("hmm", "fallback", ""),
        ("1", "fallback", ""),
        ("x" * 100_000, "fallback", ""),
    ],
)
def test_what_is_meant(said: str, intent: str, tool: str) -> None:
    (answer,) = talk(said)

    assert (answer.intent, answer.tool) == (intent, tool)


def test_lines_are_said_in_turn_however_they_are_asked_for() -> None:
    assert [answer.say for answer in talk("opening hours", "yes", "DTMF: 1", "when are you open")] == [
        "From nine to six.",
        "Yes what?",
        "Nine to six, as I said.",
        "From nine to six.",
    ]


def test_each_language_has_its_words() -> None:
    assert [answer.say for answer in talk("opening hours", "blah", "yes", language="hi-IN")] == [
        "नौ से छह बजे तक।",
        "माफ़ कीजिए।",
        "Yes what?",
    ]


def test_what_is_not_understood_leads_further_each_time_in_a_row() -> None:
    answers = talk("blah", "blub", "opening hours", "blah", "blub", "bluh", "blah")

    assert [answer.say for answer in answers] == [
        "Sorry.",
        "Shall I connect you to an agent?",
        "From nine to six.",
        "Sorry.",
        "An agent then?",
        "I give up.",
        "I give up.",
    ]
    assert [answer.tool for answer in answers[-2:]] == ["hang_up", "hang_up"]


def test_yes_means_what_was_asked() -> None:
    assert talk("yes")[-1].say == "Yes what?"
    assert talk("blah", "blub", "sure")[-1] == Answer("agent", "I connect you.", "transfer", {"reason": "agent"})
    assert talk("blah", "blub", "no")[-1].say == "Hours, or an agent."
    assert talk("call me back", "yes please")[-1].say == "It is noted."
    assert talk("call me back", "no")[-1].tool == "hang_up"


def test_what_was_asked_is_still_asked_when_it_was_repeated_and_not_when_something_else_was_said() -> None:
    repeated = talk("call me back", "pardon?", "yes")

    assert repeated[1] == Answer("repeat", "Shall we call this number?")
    assert repeated[2].say == "It is noted."
    assert talk("call me back", "opening hours", "yes")[-1].say == "Yes what?"


def test_what_is_repeated_is_what_was_heard_and_at_first_the_greeting() -> None:
    heard = [user("opening hours"), {"role": "assistant", "content": [{"type": "text", "text": "From nine"}]}, user("pardon")]

    assert Script(FLOW).answer(heard).say == "From nine"
    assert Script(FLOW).answer([user("pardon")], "hi").say == "नमस्ते।"


def asked_webhook(result: object) -> list[Message]:
    content = result if isinstance(result, str) else json.dumps(result)
    return [
        user("What is my balance?"),
        {"role": "assistant", "content": "One moment."},
        {
            "role": "assistant",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "webhook", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": content},
    ]


def test_a_webhook_is_told_what_was_heard() -> None:
    assert talk("What is my balance?")[-1] == Answer(
        "balance", "One moment.", "webhook", {"intent": "balance", "data": {"heard": "What is my balance?"}}
    )
    assert talk("DTMF: 42")[-1].arguments["data"] == {"heard": "DTMF: 42"}


@pytest.mark.parametrize(
    ("result", "say", "tool"),
    [
        ({"say": "You have 5 rupees."}, "You have 5 rupees.", ""),
        ({"answer": "Five."}, "Five.", ""),
        ({"say": "Bye.", "then": "hang_up"}, "Bye.", "hang_up"),
        ({"say": "Bye.", "then": "format_disk"}, "Bye.", ""),
        ({"error": "HTTP 500"}, "I can not see it now.", ""),
        ({"say": "  "}, "I can not see it now.", ""),
        ({"say": ["a"]}, "I can not see it now.", ""),
        ([1], "I can not see it now.", ""),
        ("COMPLETED", "I can not see it now.", ""),
        ({"say": "a" * 5000}, "a" * 600, ""),
    ],
)
def test_what_a_webhook_answers_is_said_once_and_asks_nobody_again(result: object, say: str, tool: str) -> None:
    answer = Script(FLOW).answer(asked_webhook(result))

    assert (answer.intent, answer.say, answer.tool) == ("balance", say, tool)


def test_where_there_is_no_webhook_nobody_waits_for_one() -> None:
    assert Script(FLOW).answer([user("what is my balance")], offered=()) == Answer("balance", "I can not see it now.")


def test_a_webhook_that_has_not_answered_yet_is_no_answer_to_what_is_said_next() -> None:
    assert Script(FLOW).answer([*asked_webhook("IN_PROGRESS"), user("opening hours")]).intent == "hours"
    assert Script(FLOW).answer([*asked_webhook({"say": "5"}), user("what is my balance")]).tool == "webhook"


# Weights of words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Where's my order?", ("where", "is", "my", "order")),
        ("It hasn’t arrived, I'd say", ("it", "has", "not", "arrived", "i", "would", "say")),
        ("Um, hello, the ÉCOLE please!", ("the", "école")),
        ("Hmm.", ("hmm",)),
        ("क्या हुआ", ("क्या", "हुआ")),
        ("?!", ()),
    ],
)
def test_words(text: str, said: tuple[str, ...]) -> None:
    assert words(text) == said


def test_what_ends_a_call_has_to_be_meant_without_doubt() -> None:
    examples = {"no": ["no", "that is all"], "yes": ["yes"], "agent": ["talk to an agent"]}
    ends: dict[str, Then] = {"no": "hang_up", "agent": "transfer"}
    doubtful = ["no or some of it", "no that is not all", "that is right", "no wait", "do not talk to an agent"]

    assert [Examples(examples, ends).closest(text) for text in doubtful] == [None] * 5
    assert Examples(examples).closest("no or some of it") == "no"
    assert [Examples(examples, ends).closest(text) for text in ("no", "no, that is all", "talk to an agent please")] == [
        "no",
        "no",
        "agent",
    ]


def test_who_says_goodbye_behind_an_and_parts() -> None:
    parting = Examples({"goodbye": ["goodbye", "see you"]}, {"goodbye": "hang_up"})

    assert [parting.closest(text) for text in ("and you and goodbye", "so then goodbye")] == ["goodbye"] * 2
    assert [parting.closest(text) for text in ("and he said goodbye", "and then", "where can I and goodbye")] == [None] * 3


def test_who_has_more_questions_does_not_say_that_there_are_no_more() -> None:
    parting = Examples({"no": ["no", "no more questions"]}, {"no": "hang_up"})

    assert parting.closest("no more questions, no") == "no"
    assert [parting.closest(text) for text in ("no, I have more questions", "no, I do have some more questions")] == [None] * 2


def test_words_of_another_goodbye_that_was_not_said_are_none() -> None:
    parting = Examples(
        {"no": ["no"], "later": ["I will call you back"]}, {"no": "hang_up", "later": "hang_up"}, answers=["no", "later"]
    )

    assert parting.closest("no, I will call you back") in ("no", "later")
    assert [parting.closest(text) for text in ("no, call me back", "no, can you call me")] == [None] * 2


def test_a_courtesy_beside_an_answer_that_parts_is_not_what_is_meant() -> None:
    examples = {"remark": ["fine thank you"], "no": ["I am fine", "no thank you"]}
    answers = Examples(examples, {"no": "hang_up"}, answers=["remark", "no"])

    assert [answers.closest(text) for text in ("Fine, thank you.", "I am fine, thank you.")] == ["remark", "no"]


def test_a_word_with_a_dental_sound_is_known_as_it_is_said_in_india() -> None:
    spoken = {"thank": "θæŋk", "tank": "tæŋk"}
    examples = {"no": ["thank you that is all", "that is all"]}
    parting = Examples(examples, {"no": "hang_up"}, sounds=lambda text: spoken.get(text, ""), answers=["no"])

    assert parting.closest("Tank you. That, that is all, tank you.") == "no"


def test_an_answer_that_ends_the_call_where_it_was_asked_has_to_be_meant_without_doubt() -> None:
    parted = Script(
        flow.parse("""
greeting: Hello.
fallback: [Sorry.]
intents:
  hours: {examples: [opening hours], say: "From nine to six. Anything else?", next: {enough: bye}}
  enough: {examples: [that is enough], say: All right.}
  bye: {examples: [bye], say: Goodbye., then: hang_up}
""")
    )

    def after_hours(text: str) -> str:
        hours = [user("opening hours"), {"role": "assistant", "content": "From nine to six. Anything else?"}]
        return parted.answer([*hours, user(text)]).intent

    assert [after_hours(text) for text in ("that is enough", "that is enough sugar", "is that enough")] == [
        "bye",
        "fallback",
        "fallback",
    ]
    assert parted.answer([user("that is enough")]).tool == ""


def test_a_hindi_no_is_one_however_it_is_spelt() -> None:
    answers = Examples({"no": ["nahi"], "yes": ["haan"]}, {"no": "hang_up"})

    assert [answers.closest(text) for text in ("nahin", "नही", "नहीं", "nahee")] == ["no"] * 4


def test_a_wish_goes_before_an_answer_in_the_same_sentence() -> None:
    examples = {"yes": ["yes"], "hours": ["opening hours"]}

    assert Examples(examples, answers=["yes"]).closest("yes, the opening hours") == "hours"
    assert Examples(examples, answers=["yes"]).closest("yes") == "yes"


ENDS: dict[str, Then] = {"agent": "transfer", "bye": "hang_up"}
WISHES = {
    "hours": ["when do you open", "what time do you close"],
    "agent": ["talk to an agent", "connect me", "I do not want to talk to a robot"],
    "options": ["I do not want an agent"],
    "wait": ["one minute", "wait"],
    "bye": ["bye"],
}


@pytest.mark.parametrize(
    ("said", "intent"), [("Oh, I talk", None), ("talk to you people", None), ("talk to your people", "agent")]
)
def test_a_word_that_alone_means_nothing_does_not_transfer(said: str, intent: str | None) -> None:
    assert Examples({"agent": ["talk to your people", "an agent"]}, ENDS).closest(said) == intent


@pytest.mark.parametrize(
    ("said", "intent"), [("you don't need a need", None), ("no I don't need", "bye"), ("a nice day bye", "bye")]
)
def test_who_names_what_is_not_needed_does_not_part(said: str, intent: str | None) -> None:
    assert (
        Examples({"bye": ["don't need", "nice day bye"], "no": ["no"]}, {"bye": "hang_up", "no": "hang_up"}).closest(said)
        == intent
    )


@pytest.mark.parametrize(
    ("said", "intent"),
    [
        ("give me the manager", "agent"),
        ("let me talk to the front desk", "agent"),
        ("no manager please", "options"),
        ("a manger please", "agent"),  # misheard
    ],
)
def test_words_that_mean_the_same_need_no_example_of_their_own(said: str, intent: str) -> None:
    examples = WISHES | {"agent": [*WISHES["agent"], "give me an agent", "an agent"], "options": ["no agent"]}
    alike = [["agent", "manager", "front desk"]]

    assert Examples(examples, ENDS, alike=alike).closest(said) == intent
    assert Examples(examples, ENDS).closest(said) is None


@pytest.mark.parametrize(
    ("said", "intent"),
    [
        ("when are you opening", "hours"),
        ("at what time are you closing", "hours"),
        ("the call was disconnected", None),
        ("one minute, I want to ask when do you open", "hours"),
        ("one minute can you connect me", "agent"),
        ("one minute, bye", "wait"),
        ("wait, wait, I do not want an agent", "options"),
        ("wait, the baby is crying", "wait"),
        ("can't you connect me", "agent"),
        ("why don't you connect me", "agent"),
        ("you are not listening, connect me", "agent"),
        ("no need to talk to an agent", "options"),
        ("how do I switch the robot on", None),
    ],
)
def test_forms_of_words_and_clauses(said: str, intent: str | None) -> None:
    assert Examples(WISHES, ENDS).closest(said) == intent


@pytest.mark.parametrize(
    "said",
    [
        "I spoke to an agent",
        "She talked to an agent yesterday",
        "I am an agent",
        "Your agent told me",
        "My agent is rude",
        "mera bhai agent hai",
    ],
)
def test_who_tells_of_an_agent_wants_none(said: str) -> None:
    assert Examples(WISHES, ENDS).closest(said) != "agent"


def test_a_yes_that_is_held_back_is_not_carried_out() -> None:
    assert talk("blah", "blub", "yes")[-1].tool == "transfer"
    assert talk("blah", "blub", "yes but wait")[-1].tool != "transfer"
    assert talk("blah", "blub", "yes but not now")[-1].tool != "transfer"


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("no agent", ["no"]),
        ("no i want an agent", []),
        ("agent nahi chahiye", ["nahi"]),
        ("एजेंट मत दो", ["मत"]),
        ("I don't want it", ["not"]),
        ("you are open, no?", []),
        ("hold on a moment", ["a moment", "hold on"]),
        ("sure, why not", []),
        ("I don't know where it is", []),
    ],
)
def test_words_that_deny_or_ask_to_wait(text: str, denied: list[str]) -> None:
    assert sorted(vocabulary.denials(vocabulary.heard(text, 40).whole)) == denied


def test_the_phrases_of_a_flow_are_its_examples_and_words_that_mean_the_same() -> None:
    phrases = Script(flow.load(example_flow())).phrases()
    assert {"when are you open", "मेरा ऑर्डर कहाँ है", "parcel", "weekly off"} <= {*phrases}


# The endpoint


def bearer(endpoint: Endpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.key}"}


def served(test: Callable[[Endpoint, AsyncOpenAI], Awaitable[None]]) -> None:
    async def run() -> None:
        endpoint = Endpoint(FLOW)
        await endpoint.open()
        try:
            async with AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0, timeout=10) as client:
                await test(endpoint, client)
        finally:
            await endpoint.close()

    asyncio.run(run())


def test_an_answer_as_a_whole() -> None:
    async def test(_endpoint: Endpoint, client: AsyncOpenAI) -> None:
        made = await client.chat.completions.create(model="scripted", messages=[user("human")], tools=TOOLS)  # type: ignore[arg-type,list-item]

        (choice,) = made.choices
        assert choice.message.content == "I connect you."
        assert [call.function.name for call in choice.message.tool_calls or []] == ["transfer"]  # type: ignore[union-attr]
        assert choice.finish_reason == "tool_calls"
        assert made.usage is not None
        assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens == 4

    served(test)


def test_each_bot_has_a_model_that_answers_by_its_flow() -> None:
    async def run() -> None:
        own = flow.parse('greeting: Sales here.\nfallback: ["Pardon?"]\nintents: {a: {examples: [one], say: One.}}\n')
        endpoint = Endpoint(FLOW, of_bots={"sales": own})
        await endpoint.open()
        try:
            async with AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0, timeout=10) as client:
                assert {"scripted", "scripted/sales"} <= {model.id async for model in client.models.list()}
                asked = [user("human")]
                said = {}
                for model in ("scripted", "scripted/sales:hi"):
                    made = await client.chat.completions.create(model=model, messages=asked)  # type: ignore[arg-type]
                    said[model] = made.choices[0].message.content
                assert said == {"scripted": "I connect you.", "scripted/sales:hi": "Pardon?"}
                with pytest.raises(NotFoundError):
                    await client.chat.completions.create(model="scripted/other", messages=asked)  # type: ignore[arg-type]
        finally:
            await endpoint.close()

    asyncio.run(run())


def test_an_answer_in_pieces() -> None:
    async def test(_endpoint: Endpoint, client: AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="scripted:hi",
            messages=[user("What is my balance?")],  # type: ignore[list-item]
            tools=TOOLS,  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]

        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        calls = [call for delta in deltas for call in delta.tool_calls or []]
        assert "".join(delta.content or "" for delta in deltas) == "One moment."
        assert [call.function.name for call in calls if call.function] == ["webhook"]
        assert json.loads((calls[0].function and calls[0].function.arguments) or "") == {
            "intent": "balance",
            "data": {"heard": "What is my balance?"},
        }
        assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["tool_calls"]
        assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [2]

    served(test)


def test_a_tool_that_is_not_offered_is_not_called() -> None:
    async def test(_endpoint: Endpoint, client: AsyncOpenAI) -> None:
        made = await client.chat.completions.create(model="scripted", messages=[user("human")])  # type: ignore[list-item]

        assert made.choices[0].message.tool_calls is None
        assert made.choices[0].finish_reason == "stop"

    served(test)


def test_the_models_are_the_languages() -> None:
    async def test(_endpoint: Endpoint, client: AsyncOpenAI) -> None:
        assert [model.id async for model in client.models.list()] == ["scripted", "scripted:en", "scripted:hi"]
        with pytest.raises(NotFoundError, match="The model `gpt-4` does not exist"):
            await client.chat.completions.create(model="gpt-4", messages=[user("hi")])  # type: ignore[list-item]

    served(test)


def test_a_client_is_told_what_is_wrong() -> None:
    async def test(_endpoint: Endpoint, client: AsyncOpenAI) -> None:
        with pytest.raises(BadRequestError, match="'messages' has to be a list of messages") as raised:
            await client.chat.completions.create(model="scripted", messages=[])
        assert raised.value.type == "invalid_request_error"

    served(test)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"messages": "hi"}', 400),
        (b'{"messages": ["hi"]}', 400),
        (b'{"messages": [{"role": "user", "content": "hi"}], "tools": 5}', 400),
        (b'{"messages": [{"role": "user", "content": "hi"}], "model": 5}', 400),
        (b'{"messages": [{"role": "user", "content": "hi"}], "stream": true, "stream_options": 5}', 400),
        (b'{"messages": [{"role": "user", "content": "hi"}], "tools": [5, {"function": 5}, {}]}', 200),
        (b'{"messages": [{"role": 5, "content": {"a": 1}}, {}, {"content": [5, {"text": 7}]}]}', 200),
        (b'{"messages": [{"role": "tool", "content": "5"}, {"role": "user", "content": null}]}', 200),
        (b'{"messages": [{"role": "user", "content": "' + b"a" * MOST_BYTES + b'"}]}', 413),
    ],
)
def test_a_broken_request_breaks_nothing(body: bytes, status: int) -> None:
    async def test(endpoint: Endpoint, _client: AsyncOpenAI) -> None:
        async with aiohttp.ClientSession(headers=bearer(endpoint)) as session:
            async with session.post(f"{endpoint.url}/chat/completions", data=body) as response:
                told = await response.json()
                assert response.status == status
                assert ("error" in told) == (status != 200)
            async with session.get(f"{endpoint.url}/nowhere") as response:
                assert response.status == 404
                assert (await response.json())["error"]["type"] == "invalid_request_error"

    served(test)


def test_a_call_that_ends_in_mid_request_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def test(endpoint: Endpoint, _client: AsyncOpenAI) -> None:
        to = urlsplit(endpoint.url)
        _, writer = await asyncio.open_connection(to.hostname, to.port)
        head = (
            f"POST {to.path}/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {endpoint.key}\r\nContent-Length: 99"
        )
        writer.write(f'{head}\r\n\r\n{{"messages"'.encode())
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.05)

    served(test)
    assert not caplog.records


def test_calls_are_answered_side_by_side_and_nothing_is_left() -> None:
    async def run() -> None:
        endpoint = Endpoint(flow.load(example_flow()))
        await endpoint.open()
        async with AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0, timeout=10) as client:

            async def ask(text: str) -> str | None:
                made = await client.chat.completions.create(model="scripted:en", messages=[user(text)])  # type: ignore[list-item]
                return made.choices[0].message.content

            asked = ["when are you open", "where is my order"] * 20
            said = await asyncio.gather(*map(ask, asked))
            await endpoint.close()
            with pytest.raises(aiohttp.ClientConnectorError):
                async with aiohttp.ClientSession() as session:
                    await session.get(f"{endpoint.url}/models")
        assert [answer.split()[1] if answer else "" for answer in said] == ["are", "order"] * 20
        await endpoint.close()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


# A stranger on the same host


@pytest.mark.parametrize(
    "shown", [None, "", "none", "Bearer none", "Bearer ", "Basic {key}", "{key}", "Bearer {key}x", "bearer\xff"]
)
def test_who_has_not_the_key_of_the_process_is_refused_and_their_body_is_not_read(shown: str | None) -> None:
    async def test(endpoint: Endpoint, _client: AsyncOpenAI) -> None:
        endpoint._scripts["scripted"].answer = None  # type: ignore[assignment,method-assign]  # nobody may get so far
        to = urlsplit(endpoint.url)
        for path in ("chat/completions", "models", "nowhere"):
            reader, writer = await asyncio.open_connection(to.hostname, to.port)
            header = "" if shown is None else f"Authorization: {shown.format(key=endpoint.key)}\r\n"
            head = f"POST {to.path}/{path} HTTP/1.1\r\nHost: h\r\n{header}Content-Length: 500000\r\n\r\n"
            writer.write(head.encode("latin-1"))
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.startswith(b"HTTP/1.1 401 "), "answered and closed, though no body came"
            assert endpoint.key.encode() not in answer
            writer.close()

    served(test)


def test_each_process_has_a_key_of_its_own() -> None:
    keys = {Endpoint(FLOW).key for _ in range(3)}
    assert len(keys) == 3
    assert min(map(len, keys)) >= 32


def test_the_matching_never_runs_on_the_loop_and_more_than_can_be_in_work_is_refused() -> None:
    async def test(endpoint: Endpoint, client: AsyncOpenAI) -> None:
        held, turned = threading.Event(), threading.Event()
        threads: set[str] = set()
        answer = endpoint._scripts["scripted"].answer

        def slow(*args: Any, **options: Any) -> Any:
            threads.add(threading.current_thread().name)
            turned.set()
            held.wait(20)
            return answer(*args, **options)

        endpoint._scripts["scripted"].answer = slow  # type: ignore[method-assign]
        asked = [
            asyncio.create_task(client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "x"}]))
            for _ in range(MOST_AT_ONCE + 5)
        ]
        while sum(task.done() for task in asked) < 5:
            await asyncio.sleep(0.01)  # the loop turns while the flow is held
        assert turned.is_set()
        held.set()
        said = await asyncio.gather(*asked, return_exceptions=True)
        refused = [error for error in said if isinstance(error, APIStatusError)]
        assert [error.status_code for error in refused] == [503] * 5
        assert {name.rpartition("_")[0] for name in threads} == {"flow"}

    served(test)


def test_a_long_utterance_and_a_long_dialogue_are_looked_at_to_a_bound() -> None:
    compared: list[int] = []
    script = Script(FLOW)
    find = script._examples._find
    script._examples._closest = lambda heard: compared.append(len(heard)) or find(heard)  # type: ignore[assignment,func-returns-value]
    script.answer([user(" ".join(f"w{i}" for i in range(9000)))] * 5000)
    assert max(compared) <= 40
    assert len(compared) <= 200
