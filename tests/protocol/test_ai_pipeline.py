"""The real pipeline and the embedded models in this process: a call leaves nothing behind and does not hold the loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
from aiohttp import web
from exotel_ws.ai.bots.routing import DEFAULT
from exotel_ws.ai.mode import AiMode
from exotel_ws.ai.outward.client import Destination
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.sentences import USUAL, sentences
from exotel_ws.ai.settings import Ai, Bot, Service
from exotel_ws.logs import CallLog
from exotel_ws.protocol import Dtmf, Media, Start, Writer
from exotel_ws.responder import HangUp
from exotel_ws.settings import Settings

from tests.providers.fakes.openai import OpenAI
from tests.providers.fakes.server import KEY

pytestmark = pytest.mark.filterwarnings("error:.*deprecated since:DeprecationWarning:exotel_ws")
SILENCE = Media("s1", "", bytes(320))
Value = TypeVar("Value")
SPEECH = (np.sin(np.arange(9600) / 9) * 8000).astype("<i2").tobytes()


class Line:
    """Line to nobody, which counts the messages."""

    def __init__(self) -> None:
        self.log = CallLog("conn_1")
        self.path = "/"
        self.hung_up: HangUp | None = None
        self.audio_bytes = 0
        self.first_at = 0.0

    def send(self, messages: tuple[str, ...], audio_bytes: int = 0) -> None:
        self.audio_bytes += audio_bytes
        if audio_bytes and not self.first_at:
            self.first_at = time.monotonic()

    def bite(self, bound: str, text: str) -> None:
        raise AssertionError(f"{bound}: {text}")

    def share(self, name: str, rate: float, burst: float) -> None:
        return None

    def next_applet(self, _applet: object) -> None:
        pass

    def hang_up(self, hang_up: HangUp) -> None:
        self.hung_up = hang_up


class Voice(OpenAI):
    """Fake provider whose speech is a tone of 400 ms."""

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        self.said.append((await request.json())["input"])
        return web.Response(body=SPEECH, content_type="audio/pcm")


def in_mode(test: Callable[[AiMode], Awaitable[Value]], **ai: Any) -> Value:
    async def main() -> Value:
        mode = AiMode(Settings(mode="ai", ai=msgspec.to_builtins(msgspec.structs.replace(Ai(), **ai))))
        await mode.open()
        try:
            return await test(mode)
        finally:
            await mode.close()
            await asyncio.sleep(0.2)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"the mode left {left}"

    return asyncio.run(main())


def call(mode: AiMode, line: Line) -> Any:
    start = Start("s1", call_sid="c1")
    return mode.respond(start, Writer("s1", sample_rate=8000), line, sample_rate=8000)


def test_a_hindi_call_in_trouble_hears_its_own_voice_or_at_least_english(tmp_path: Path) -> None:
    async def apology(mode: AiMode) -> tuple[str, bytes]:
        return mode._bots[DEFAULT].phrases("hi-IN", 8000).apology

    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    flow = tmp_path / "flow.yml"
    flow.write_text("greeting: नमस्ते।\nfallback: [जी]\nintents: {a: {examples: [one], say: जी।}}\n", "utf-8")
    with Voice() as provider:
        own = Service(base_url=f"http://{provider.address}/v1", credential=str(tmp_path / "key"))
        chosen: dict[str, Any] = {"language": "hi-IN", "stt": ["openai"], "tts": ["openai"], "flow": str(flow)}
        text, pcm = in_mode(apology, **chosen, services={"openai": own})
        hindi = sentences(Ai(), "hi").apology
        assert (text, len(pcm)) == (hindi, len(SPEECH) // 3)
        assert hindi in provider.said
    text, pcm = in_mode(apology, **chosen, services={"openai": own})
    assert text == USUAL.apology
    assert len(pcm) > 16000, "more than a second of the embedded voice"


def test_a_call_that_asks_for_hindi_is_answered_by_the_embedded_voice_in_english() -> None:
    class Told(Line):
        bites = ""

        def bite(self, bound: str, text: str) -> None:
            self.bites += bound

    async def calls(mode: AiMode) -> None:
        line = Told()
        start = Start("s1", custom_parameters={"language": "hi"})
        conversation = mode.respond(start, Writer("s1", sample_rate=8000), line, sample_rate=8000)
        conversation.stopped()
        assert (line.bites, line.audio_bytes > 0) == ("ai_names", True)

    in_mode(calls, languages=["hi"])


def test_a_number_leads_to_a_bot_with_a_flow_and_a_greeting_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = tmp_path / "sales.yml"
    flow.write_text("greeting: Sales.\nfallback: [Pardon.]\nintents: {a: {examples: [one], dtmf: 7, say: Seven.}}\n", "utf-8")

    said: list[str] = []
    monkeypatch.setattr(Story, "bot_said", lambda _story, text, _heard: said.append(text))

    async def calls(mode: AiMode) -> list[str]:
        made = []
        for to, parameter in (("08047112233", ""), ("08047112244", ""), ("08047112244", "SALES")):
            start = Start("s1", to=to, custom_parameters={"bot": parameter} if parameter else {})
            conversation = mode.respond(start, Writer("s1", sample_rate=8000), Line(), sample_rate=8000)
            made.append(conversation._story._bot)
            conversation.stopped()
        bot = mode._bots["sales"]
        await bot.prepare()
        assert bot.greeting_text("") == "Sales."
        assert len(bot.greeting("", "", 8000)) > 4000
        line = Line()
        start = Start("s1", to="+918047112233")
        conversation = mode.respond(start, Writer("s1", sample_rate=8000), line, sample_rate=8000)
        conversation.dtmf(Dtmf("s1", "7"))
        conversation.dtmf(Dtmf("s1", "#"))
        async with asyncio.timeout(30):
            while "Seven." not in said:
                conversation.media(SILENCE)
                await asyncio.sleep(0.02)
        conversation.stopped()
        assert mode._tally.bots == {"default": 1, "sales": 3}
        return made

    answering = in_mode(calls, bots={"sales": Bot(numbers=["+918047112233"], flow=str(flow))})
    assert answering == ["sales", "default", "sales"]


def test_a_look_up_chooses_bot_and_greeting_and_a_late_one_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Story, "bot_said", lambda _story, text, _heard: said.append(text))

    async def calls(mode: AiMode) -> None:
        late, released = False, asyncio.Event()

        async def answer(_request: web.Request) -> web.StreamResponse:
            if late:
                await released.wait()
            return web.json_response({"bot": "sales", "greeting": "Hello Asha."})

        app = web.Application()
        app.router.add_post("/who", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/who"
        for holds, seconds, greeting in ((False, 30.0, "Hello Asha."), (True, 0.1, "Welcome.")):
            late = holds
            mode._asks = Destination(url, timeout_s=seconds, allow_loopback=True)
            line = Line()
            responder = call(mode, line)
            assert mode.full() == "1 live calls, ai.max_calls = 1"
            async with asyncio.timeout(60):
                while greeting not in said:
                    responder.media(SILENCE)
                    await asyncio.sleep(0.02)
            responder.stopped()
            assert mode.full() == ""
        released.set()
        await runner.cleanup()
        assert mode._tally.lookups == {"answered": 1, "failed": 1, "not_asked": 0}
        assert mode._tally.bots == {"default": 1, "sales": 1}

    in_mode(calls, bots={"sales": Bot(greeting="Sales.")}, greeting="Welcome.", max_calls=1)


async def nobody_left(before: set[Any], within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while left := asyncio.all_tasks() - before:
        assert time.monotonic() < until, f"{len(left)} tasks are left: {left}"
        await asyncio.sleep(0.05)


def test_a_call_that_ends_in_any_state_leaves_no_task() -> None:
    async def calls(mode: AiMode) -> None:
        before = asyncio.all_tasks()

        async def one(seconds: float, key: str = "") -> None:
            line = Line()
            conversation = call(mode, line)
            began = time.monotonic()
            if key:
                conversation.dtmf(Dtmf("s1", key))
                conversation.dtmf(Dtmf("s1", "#"))
            while time.monotonic() < began + seconds:
                conversation.media(SILENCE)
                await asyncio.sleep(0.02)
            conversation.stopped()
            assert line.audio_bytes
            await nobody_left(before | {asyncio.current_task()} | set(ours))

        ours: list[asyncio.Task[None]] = []
        for seconds, key in ((0.0, ""), (0.0, "1"), (0.05, ""), (0.3, "1"), (1.5, "1"), (1.5, "")):
            await one(seconds, key)
        assert not mode._calls

    in_mode(calls)


def test_what_a_call_says_is_what_the_flow_says_and_the_loop_is_never_held_up_for_long() -> None:
    async def calls(mode: AiMode) -> tuple[float, float]:
        line = Line()
        longest = 0.0
        began = time.thread_time()
        conversation = call(mode, line)
        made_s = time.thread_time() - began
        for _ in range(100):
            at = time.thread_time()  # CPU time, which other work of the machine does not change
            conversation.media(SILENCE)
            longest = max(longest, time.thread_time() - at)
            await asyncio.sleep(0.005)
        conversation.stopped()
        assert line.first_at > 0
        return made_s, longest

    made_s, longest_s = in_mode(calls)
    assert longest_s < 0.05
    assert made_s < 0.4


def test_starts_in_one_packet_make_one_bot_and_hold_up_nobody() -> None:
    """Starts in one packet make one bot and hold up nobody. Bots are counted, not time: making each one holds the loop."""

    async def calls(mode: AiMode) -> None:
        made = []
        assembly = mode._bots[DEFAULT].assembly
        make = assembly.dialogue
        assembly.dialogue = lambda *args: made.append(args) or make(*args)  # type: ignore[method-assign,func-returns-value]
        line = Line()
        begun = []
        for _ in range(51):
            for before in begun[-1:]:
                before.stopped()
            begun.append(call(mode, line))
        assert not made, "nothing is made while a message is received"
        assert len(mode._calls) == 1
        while not made:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert len(made) == 1
        assert line.audio_bytes, "greeted"
        begun[-1].stopped()

    in_mode(calls)
