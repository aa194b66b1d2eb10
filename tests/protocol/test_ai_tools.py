"""A whole call with a tool of one's own: the model calls it by name, and the other side checks the signature."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from exotel_ws.ai.mode import AiMode
from exotel_ws.ai.scripted.script import Answer, Script
from exotel_ws.ai.settings import Ai, Service, Tool
from exotel_ws.protocol import Dtmf, Start, Writer
from exotel_ws.settings import Settings

from .test_ai_pipeline import Line

SECRET = "signed-with-this"


class Anybody(Line):
    """Line of a source that shares no bound with others."""

    def share(self, _name: str, _rate: float, _burst: float) -> None:
        return None


class Shop:
    """System of the user's that checks each request as docs/ai.md shows, and a language model that calls its tool."""

    def __init__(self, told: str) -> None:
        self.told = told
        """Order number that the model calls the tool with."""
        self.genuine: list[dict[str, Any]] = []
        self.offered: list[Any] = []
        self.results: list[str] = []

    async def order(self, request: web.Request) -> web.Response:
        body, stamp = await request.read(), request.headers["X-Exotel-Voicebot-Timestamp"]
        made = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if request.headers["X-Exotel-Voicebot-Signature"] != f"v1={made}":
            return web.Response(status=403)
        self.genuine.append(json.loads(body))
        return web.json_response({"status": "shipped"})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.offered = [one["function"] for one in asked["tools"]]
        results = [message["content"] for message in asked["messages"] if message["role"] == "tool"]
        delta: dict[str, Any] = {"content": "It was shipped."}
        if results:
            self.results = results
        else:
            function = {"name": "order_status", "arguments": json.dumps({"order": self.told})}
            delta = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
        head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        finish = "stop" if "content" in delta else "tool_calls"
        for choice in ({"index": 0, "delta": delta}, {"index": 0, "delta": {}, "finish_reason": finish}):
            await response.write(f"data: {json.dumps(head | {'choices': [choice]})}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


def settings(port: int) -> Ai:
    schema = {"required": ["order"], "properties": {"order": {"type": "string", "pattern": "^[0-9]+$"}}}
    url = f"http://127.0.0.1:{port}"
    made = Tool("Look an order up.", f"{url}/order", schema, signing_credential="shop", saying="I will look.", loopback=True)
    model = Service(use="openai", base_url=f"{url}/v1", model="m")
    return Ai(llm=["m"], services={"m": model}, tools={"order_status": made}, greeting="Hello.", greeting_interruptible=True)


@pytest.mark.parametrize(("told", "result"), [("4821", '{"status": "shipped"}'), ("abc", "does not match")])
def test_a_model_calls_a_tool_and_the_other_side_knows_that_it_is_us(
    told: str, result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "shop").write_text(SECRET)
    shop, said = Shop(told), list[str]()

    async def main() -> None:
        app = web.Application()
        app.add_routes([web.post("/order", shop.order), web.post("/v1/chat/completions", shop.complete)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        mode = AiMode(Settings(mode="ai", ai=msgspec.to_builtins(settings(runner.addresses[0][1]))))
        await mode.open()
        try:
            start = Start("s1", call_sid="c1", from_="0987")
            call = mode.respond(start, Writer("s1", sample_rate=8000), Anybody(), sample_rate=8000)
            monkeypatch.setattr(call._story, "bot_said", lambda text, heard: said.append(text))
            monkeypatch.setattr(call._talk, "say", lambda text, say=call._talk.say: (said.append(text), say(text)))
            call.dtmf(Dtmf("s1", "1"))
            call.dtmf(Dtmf("s1", "#"))
            async with asyncio.timeout(60):
                while not shop.results:
                    await asyncio.sleep(0.05)
            call.stopped()
        finally:
            await mode.close()
            await runner.cleanup()

    asyncio.run(main())
    assert result in shop.results[0]
    offered = {one["name"]: one for one in shop.offered}
    assert {"hang_up", "transfer", "order_status"} == set(offered)
    assert offered["order_status"]["parameters"]["required"] == ["order"]
    if told.isdigit():
        assert [(one["tool"], one["arguments"], one["call"]["from"]) for one in shop.genuine] == [
            ("order_status", {"order": "4821"}, "0987")
        ]
        assert said.count("I will look.") == 1
    else:
        assert not shop.genuine
        assert "I will look." not in said


ORDERS = """
greeting: Hello.
fallback: [Sorry.]
slots:
  order:
    kind: number
    digits: [4, 12]
    ask: Your number, please.
    read_back: "{order}. Is that right?"
intents:
  status:
    examples: [where is my order]
    dtmf: 2
    needs: [order]
    tool: order_status
    answer: "Order {order} was {status}."
    otherwise: I can not see it.
"""


def test_a_flow_asks_for_a_number_by_keys_reads_it_back_and_says_what_the_tool_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "shop").write_text(SECRET)
    (tmp_path / "orders.yml").write_text(ORDERS)
    shop, asked, collected = Shop(""), list[tuple[Any, ...]](), list[dict[str, str]]()

    async def main() -> None:
        app = web.Application()
        app.add_routes([web.post("/order", shop.order)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ai = msgspec.structs.replace(settings(runner.addresses[0][1]), llm=["embedded"], flow=str(tmp_path / "orders.yml"))
        mode = AiMode(Settings(mode="ai", ai=msgspec.to_builtins(ai)))
        await mode.open()
        answer = Script.answer

        def noted(self: Script, *told: Any, **more: Any) -> Answer:
            made = answer(self, *told, **more)
            asked.append((made.say, made.tool))
            return made

        monkeypatch.setattr(Script, "answer", noted)
        try:
            start = Start("s1", call_sid="c1", from_="0987")
            call = mode.respond(start, Writer("s1", sample_rate=8000), Anybody(), sample_rate=8000)
            for turn, keys in enumerate(("2", "4821", "1"), 1):
                for key in f"{keys}#":
                    call.dtmf(Dtmf("s1", key))
                async with asyncio.timeout(60):
                    while len(asked) < turn:
                        await asyncio.sleep(0.05)
                await asyncio.sleep(1.1)  # the keypad takes keys that follow at once for the same input
            async with asyncio.timeout(60):
                while len(asked) < 4 or not call._story.slots:  # type: ignore[attr-defined]
                    await asyncio.sleep(0.05)
            collected.append(call._story.slots)  # type: ignore[attr-defined]
            call.stopped()
        finally:
            await mode.close()
            await runner.cleanup()

    asyncio.run(main())
    assert asked == [
        ("Your number, please.", ""),
        ("4, 8, 2, 1. Is that right?", ""),
        ("", "order_status"),
        ("Order 4, 8, 2, 1 was shipped.", ""),
    ]
    assert [(one["arguments"], one["call"]["call_sid"]) for one in shop.genuine] == [({"order": "4821"}, "c1")]
    assert collected == [{"order": "4821"}], "for the report of the call's end"
