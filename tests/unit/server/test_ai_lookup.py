"""A look-up before the greeting: what its answer may choose, how long it may take, and what the caller does meanwhile."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web
from exotel_ws.ai.conversation import Conversation
from exotel_ws.ai.lookup.lookup import Found, Lookup, read
from exotel_ws.ai.lookup.waiting import Waiting
from exotel_ws.ai.outward.client import Destination, Outward, OutwardError
from exotel_ws.ai.providers import start_url, supply
from exotel_ws.ai.settings import Ai
from exotel_ws.protocol import Dtmf, Mark, Media, Start
from exotel_ws.settings import SettingsError

from .ai_call import Call, at_once

SECRET = "a-secret-of-the-lookup"
START = Start("s1", call_sid="c1", from_="09876543210", to="08047112233", custom_parameters={"bot": "help", "plan": "basic"})


@pytest.mark.parametrize(
    ("answer", "parameters", "greeting", "unusable"),
    [
        ({}, {}, "", ()),
        ({"bot": "sales", "language": "hi", "voice": "meera"}, {"bot": "sales", "language": "hi", "voice": "meera"}, "", ()),
        ({"parameters": {"plan": "gold", "age": 7, "who": None}}, {"plan": "gold", "age": "7", "who": ""}, "", ()),
        ({"parameters": {"bot": "x"}, "bot": "sales"}, {"bot": "sales"}, "", ()),
        ({"greeting": " Hello\n{name}\x07, Asha. "}, {}, "Hello name , Asha.", ()),
        ({"greeting": "x" * 501}, {}, "", ("greeting",)),
        ({"greeting": ["Hello"]}, {}, "", ("greeting",)),
        ({"bot": 7, "language": ["hi"], "voice": "v" * 65}, {}, "", ("bot", "language", "voice")),
        ({"parameters": ["plan"]}, {}, "", ("parameters",)),
        ({"parameters": {"big": "x" * 2000}}, {}, "", ("parameters",)),
        ({"parameters": {f"p{i}": "v" for i in range(40)}}, {f"p{i}": "v" for i in range(32)}, "", ("parameters",)),
        ({"bot": None, "greeting": None, "parameters": None, "more": {"any": "thing"}}, {}, "", ()),
    ],
)
def test_what_an_answer_says(
    answer: dict[str, Any], parameters: dict[str, str], greeting: str, unusable: tuple[str, ...]
) -> None:
    found = read(START, answer)
    assert found.start.custom_parameters == START.custom_parameters | parameters
    assert (found.greeting, found.unusable) == (greeting, unusable)


def asked(handler: Callable[[web.Request], Awaitable[web.StreamResponse]], timeout_s: float = 5.0) -> Found:
    async def test() -> Found:
        app = web.Application()
        app.router.add_post("/who", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        outward = Outward()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/who"
        try:
            return await Lookup(Destination(url, signing=SECRET, timeout_s=timeout_s, allow_loopback=True), outward).ask(START)
        finally:
            await outward.close()
            await runner.cleanup()

    return asyncio.run(test())


def test_the_question_is_signed_and_names_the_call() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        signed = request.headers["X-Exotel-Voicebot-Timestamp"].encode() + b"." + body
        proof = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert request.headers["X-Exotel-Voicebot-Signature"] == f"v1={proof}"
        told = json.loads(body)
        return web.json_response({"parameters": {"told": f"{told['from']} {told['to']} {told['custom_parameters']['plan']}"}})

    assert asked(answer).start.custom_parameters["told"] == "09876543210 08047112233 basic"


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (200, "[1]", "no JSON object"),
        (500, "{}", "HTTP 500"),
        (302, "{}", "HTTP 302"),
        (200, "x" * 20_000, "an answer of more than"),
    ],
)
def test_what_is_no_answer_is_said(status: int, text: str, said: str) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    with pytest.raises(OutwardError, match=said):
        asked(answer)


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    with pytest.raises(OutwardError, match=r"no answer within 0\.05 s"):
        asked(answer, timeout_s=0.05)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"start_url": "crm.example.com"}, "ai.start_url: is no address to post to"),
        ({"start_url": "http://169.254.169.254/who"}, "ai.start_url: leads to a link-local address"),
        ({"start_credential": "start-signing"}, "ai.start_credential: signs the requests to ai.start_url: add it"),
        (
            {"start_url": "https://crm.example.com/", "start_credential": "/nowhere/key"},
            "ai.start_credential: /nowhere/key: can't be",
        ),
    ],
)
def test_what_can_not_be_asked_is_refused_at_start(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        supply.check(msgspec.convert(raw, Ai))
    assert error.value.problems[0].startswith(said)


def test_a_secret_that_could_not_be_looked_for_is_told_and_one_that_is_there_signs(tmp_path: Path) -> None:
    settings = Ai(start_url="https://crm.example.com/", start_credential="start-signing", start_s=0.5)
    assert supply.check(settings, read_keys=False) == ["start-signing"]
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "key").chmod(0o600)
    made = start_url.destination(msgspec.structs.replace(settings, start_credential=str(tmp_path / "key")))
    assert made is not None
    assert (made.signing, made.timeout_s, made.allow_loopback) == (SECRET, 0.5, False)


class Made:
    """Stand-in for a conversation that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def media(self, media: Media) -> tuple[str, ...]:
        self.told.append(f"media {len(media.pcm)}")
        return ()

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        self.told.append(f"key {dtmf.digit}")
        return ()

    def mark(self, mark: Mark) -> tuple[str, ...]:
        self.told.append(f"mark {mark.name}")
        return ("answer",)

    def facts(self) -> dict[str, object]:
        return {"state": "made"}

    def stopped(self) -> None:
        self.told.append("stopped")


def test_what_the_caller_does_meanwhile_is_heard_in_order() -> None:
    async def test() -> None:
        call, made, over = Call(), Made(), list[Waiting]()

        async def begin() -> Conversation:
            await asyncio.sleep(0.8)
            return cast(Conversation, made)

        waiting = Waiting(begin, call.story, call, over.append)
        assert waiting.media(Media("s1", "", bytes(320))) == ()
        waiting.dtmf(Dtmf("s1", "5"))
        waiting.media(Media("s1", "", bytes(640)))
        assert waiting.mark(Mark("s1", "m0")) == ()
        await waiting.running
        assert made.told == ["media 320", "key 5", "media 640"]
        assert waiting.mark(Mark("s1", "m1")) == ("answer",)
        assert waiting.facts() == {"state": "made"}
        waiting.stopped()
        assert made.told[-2:] == ["mark m1", "stopped"]
        assert over == [waiting]
        call.conversation.stopped()

    at_once(test)


def test_a_flood_meanwhile_is_held_within_bounds() -> None:
    async def test() -> None:
        call, made = Call(), Made()

        async def begin() -> Conversation:
            await asyncio.sleep(0.8)
            return cast(Conversation, made)

        waiting = Waiting(begin, call.story, call, lambda _waiting: None)
        for _ in range(100):
            waiting.media(Media("s1", "", bytes(30_000)))
        for _ in range(10_000):
            waiting.dtmf(Dtmf("s1", "1"))
        await waiting.running
        assert made.told.count("media 30000") * 30_000 <= 256 * 1024
        assert len(made.told) == 500
        call.conversation.stopped()

    at_once(test)


def test_who_hangs_up_meanwhile_leaves_nothing_behind() -> None:
    async def test() -> None:
        call = Call()

        async def begin() -> Conversation:
            await asyncio.sleep(0.8)
            raise AssertionError

        waiting = Waiting(begin, call.story, call, lambda _waiting: None)
        await asyncio.sleep(0.1)
        waiting.stopped()
        await asyncio.wait({waiting.running})
        assert waiting.running.cancelled()
        assert call.story.outcome == "caller"
        call.conversation.stopped()

    at_once(test)


def test_a_conversation_that_can_not_begin_closes_the_stream() -> None:
    async def test() -> None:
        call = Call()

        async def begin() -> Conversation:
            raise ValueError

        await Waiting(begin, call.story, call, lambda _waiting: None).running
        assert call.hung_up is not None
        assert call.hung_up.code == 1011
        call.conversation.stopped()

    at_once(test)
