"""Tools of one's own: what is refused before the first call, what the model may send, and what is sent."""

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest
from aiohttp import web
from exotel_ws.ai.dialogue import Events
from exotel_ws.ai.outward.client import Outward
from exotel_ws.ai.outward.signature import SIGNATURE, TIMESTAMP
from exotel_ws.ai.providers import keys, own_tools, supply
from exotel_ws.ai.settings import Ai, Tool
from exotel_ws.ai.tools import HttpTool
from exotel_ws.parameters import restore
from exotel_ws.protocol import Start
from exotel_ws.settings import SettingsError

from .test_ai_outward import Answering, is_genuine, server

SECRET = "s3cret-of-the-crm"
URL = "https://crm.example/orders"
ORDER = {
    "type": "object",
    "properties": {"order": {"type": "string", "pattern": "^[0-9]{4,12}$", "description": "The order's number."}},
    "required": ["order"],
}


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "crm").write_text(SECRET)
    (tmp_path / "crm-signing").write_text(f"{SECRET}-2")
    return tmp_path


def tool(**told: Any) -> Tool:
    return Tool(**{"description": "Look an order up.", "url": URL, "parameters": ORDER} | told)


def refusal(name: str = "look_up", **told: Any) -> str:
    """Return all that a server says which is started with this tool."""
    with pytest.raises(SettingsError) as refused:
        supply.check(Ai(tools={name: tool(**told)}))
    return "\n".join(refused.value.problems)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"url": "crm.example/orders"}, "url: is no address to ask: it is written as https://HOST/PATH"),
        ({"url": "ftp://crm.example/"}, "url: is no address"),
        ({"url": "https:///orders"}, "url: is no address"),
        ({"url": "https://bot:pw@crm.example/"}, "url: holds a name or a password .*: name a credential instead"),
        ({"url": "http://169.254.169.254/latest"}, "url: leads to a link-local address or a cloud's metadata service"),
        ({"url": "http://0.0.0.0/", "loopback": True}, "url: leads to an unspecified address"),
        ({"url": "http://127.0.0.1:9000/"}, "url: leads to this machine's loopback: add loopback = true"),
        ({"url": "http://localhost:9000/"}, "url: leads to this machine's loopback: add loopback = true"),
        ({"parameters": {"type": "string"}}, 'parameters: are those of an object: type = "object"'),
        ({"parameters": {"properties": {"order": {"type": "text"}}}}, "parameters: properties.order.type: 'text' is not valid"),
        ({"parameters": {"properties": {"a b": {}}}}, "parameters: properties.a b: is no name of an argument"),
        ({"parameters": {"properties": {}, "required": ["order"]}}, 'parameters: required: there is no property "order"'),
        ({"parameters": {"properties": {"a": {"$ref": "https://x.example/s"}}}}, r"parameters: \$ref has no place here"),
        ({"parameters": {"properties": {"a": {"pattern": "^([a-z]+ ?)*$"}}}}, "parameters: pattern .* repeats what"),
        ({"parameters": {"properties": {"a": {"items": {"pattern": "(a|(b*)c){2,}"}}}}}, "parameters: pattern .* repeats what"),
        ({"parameters": {"patternProperties": {"^a": {}}}}, "parameters: patternProperties has no place here"),
        ({"parameters": {"properties": {"a": {"description": "x" * 20_000}}}}, "parameters: have more than 16384 characters"),
        ({"parameters": {"properties": {"a": {"default": float("nan")}}}}, "parameters: are no JSON"),
        ({"headers": {"X Shop": "7"}}, "headers.X Shop: is no name of a header"),
        ({"headers": {"X-Shop": "7\r\nHost: x"}}, "headers.X-Shop: a value is one line"),
        ({"headers": {"Host": "x"}}, "headers.Host: the server sets this header itself: take it out"),
        ({"headers": {SIGNATURE: "v1=0"}}, f"headers.{SIGNATURE}: the server sets this header itself"),
        ({"headers": {"X-Shop": "7", "x-shop": "8"}}, "headers: names one header twice"),
        ({"headers": {"authorization": "Bearer x"}, "credential": "crm"}, "headers.authorization: is what credential is sent as"),
        ({"headers": {"X-Api-Key": "{credential}"}}, "headers.X-Api-Key: {credential} stands for .*: add credential"),
        ({"credential": "nobody"}, r'credential: .*Add to the inventory: exotel_ws_ai_keys: \{nobody: "…"\}'),
        ({"signing_credential": "nobody"}, r'signing_credential: .*exotel_ws_ai_keys: \{nobody: "…"\}'),
        ({"saying": {"en": "One moment.", "hi": " "}}, "saying: a sentence is needed in each language"),
    ],
)
def test_what_is_wrong_is_refused_at_start_with_its_cure(credentials: Path, told: dict[str, Any], said: str) -> None:
    assert re.search(rf"^ai\.tools\.look_up\.{said}", refusal(**told), re.MULTILINE)


@pytest.mark.parametrize("name", ["hang_up", "transfer", "webhook", "leave_message"])
def test_a_name_that_a_tool_of_ours_has_is_refused(name: str) -> None:
    assert f"ai.tools.{name}.name: every bot may have a tool {name} of its own: rename the table" in refusal(name)


@pytest.mark.parametrize("name", ["9lives", "look up", "auftrag-über", "x" * 65, ""])
def test_a_name_that_a_model_can_not_call_is_refused(name: str) -> None:
    assert "name: a tool's name is up to 64" in refusal(name)


def test_all_problems_are_told_at_once() -> None:
    assert len(refusal(url="nowhere", headers={"Host": "x"}, parameters={"type": "string"}).splitlines()) == 3


def test_without_a_directory_of_credentials_they_are_listed_as_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    ai = Ai(tools={"look_up": tool(credential="crm", signing_credential="crm-signing")})
    assert supply.check(ai, read_keys=False) == ["crm", "crm-signing"]


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ({"url": f"{URL}?token={SECRET}"}, "its query has token, which looks like a secret"),
        ({"headers": {"X-Api-Key": SECRET}}, "headers: X-Api-Key, which looks like a secret"),
        ({"url": "http://crm.example/", "credential": "crm"}, "use https"),
        ({"headers": {"X-Api-Key": "{credential}"}, "credential": "crm"}, ""),
        ({"url": "http://127.0.0.1:1/", "credential": "crm", "loopback": True}, ""),
    ],
)
def test_a_secret_that_others_can_read_is_warned_of(
    credentials: Path, told: dict[str, Any], warned: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "exotel_ws.ai"):
        supply.check(Ai(tools={"look_up": tool(**told)}))
    text = "\n".join(message for message in caplog.messages if "ai.tools" in message)
    assert text.count(warned) == 1 if warned else not text
    assert SECRET not in text


# What is sent, and what the model is told


def use(answer: Answering, arguments: dict[str, Any], language: str = "en", times: int = 1, **told: Any) -> tuple[Any, list[Any]]:
    """Let a model use the tool. Return what it is told, and the calls of the events."""
    events = Mock(spec=Events)

    async def main() -> Any:
        outward = Outward()
        try:
            async with server(answer) as url:
                made = own_tools.plan(Ai(tools={"look_up": tool(url=f"{url}/orders", loopback=True, **told)}))
                assert not made.problems
                start = Start("s1", call_sid="c1", from_="0987", to="0201", custom_parameters=restore({"name": "Asha"}))
                asked = HttpTool(made.tools[0], language, outward, start, events)
                return [await asked(arguments) for _ in range(times)][-1]
        finally:
            await outward.close()

    return asyncio.run(main()), events.mock_calls


async def shipped(_request: web.Request) -> web.Response:
    return web.json_response({"status": "shipped"})


def test_the_other_side_is_told_the_tool_its_arguments_and_the_call_and_can_check_who_asks(credentials: Path) -> None:
    heard: list[tuple[web.Request, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append((request, await request.read()))
        return web.json_response({"status": "shipped"})

    told, events = use(answer, {"order": "4821"}, credential="crm", signing_credential="crm-signing", headers={"X-Shop": "7"})
    assert told == {"status": "shipped"}
    assert events == [call.used("look_up", "")]
    request, body = heard[0]
    assert json.loads(body) == {
        "tool": "look_up",
        "arguments": {"order": "4821"},
        "call": {"call_sid": "c1", "stream_sid": "s1", "from": "0987", "to": "0201", "custom_parameters": {"name": "Asha"}},
    }
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["X-Shop"] == "7"
    assert is_genuine(f"{SECRET}-2", request.headers, body, now=float(request.headers[TIMESTAMP]))


def test_by_get_the_arguments_are_the_query_and_a_credential_may_stand_in_a_header(credentials: Path) -> None:
    heard: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request)
        return web.json_response({"status": "shipped"})

    schema = {"properties": {"order": {"type": "string"}, "gift": {"type": "boolean"}, "n": {"type": "integer"}}}
    arguments = {"order": "48/21?&", "gift": True, "n": 3}
    use(answer, arguments, method="GET", parameters=schema, credential="crm", headers={"X-Api-Key": "k:{credential}"})
    assert dict(heard[0].query) == {"order": "48/21?&", "gift": "true", "n": "3"}
    assert heard[0].path == "/orders"
    assert heard[0].headers["X-Api-Key"] == f"k:{SECRET}"
    assert "Authorization" not in heard[0].headers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "'order' is a required property"),
        ({"order": "abc"}, "arguments.order: 'abc' does not match"),
        ({"order": 4821}, "arguments.order: 4821 is not of type 'string'"),
        ({"order": "4821", "admin": True}, "'admin' was unexpected"),
        ({"order": "4" * 9000}, "arguments of more than 8192 characters"),
        ({"order": "4" * 300}, "arguments.order: more than 256 characters do not match"),
    ],
)
def test_arguments_that_are_not_as_the_schema_says_are_not_sent_and_the_model_is_told(
    arguments: dict[str, Any], said: str
) -> None:
    visited: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.json_response({})

    told, events = use(answer, arguments)
    assert said in told["error"]
    assert len(told["error"]) <= 300
    assert not visited
    assert events == [call.used("look_up"), call.tool_failed("look_up", "arguments that are not as its parameters say")]


@pytest.mark.parametrize("pattern", ["^[0-9]{4,12}$", "^[A-Z]{2}-[0-9]+( ?[a-z]+)?$", "^(a|b)*$", "^([0-9]{3} ?){1,4}$"])
def test_patterns_whose_time_has_a_bound_are_taken(pattern: str) -> None:
    assert not own_tools.plan(Ai(tools={"look_up": tool(parameters={"properties": {"a": {"pattern": pattern}}})})).problems


@pytest.mark.parametrize(("again", "sent"), [("4821", ["4821", "4821"]), ("9999", ["4821", "9999", "9999"])])
def test_what_the_caller_interrupts_is_done_to_its_end_and_only_what_was_told_is_done_anew(again: str, sent: list[str]) -> None:
    keys: list[str] = []
    orders: list[str] = []
    let = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        orders.append((await request.json())["arguments"]["order"])
        await let.wait()
        return web.json_response({"placed": len(keys)})

    async def main() -> list[Any]:
        outward = Outward()
        try:
            async with server(answer) as url:
                made = own_tools.plan(Ai(tools={"look_up": tool(url=f"{url}/orders", loopback=True)}))
                asked = HttpTool(made.tools[0], "en", outward, Start("s1", call_sid="c1"), Mock(spec=Events))
                interrupted = asyncio.create_task(asked({"order": "4821"}))
                while not orders:
                    await asyncio.sleep(0)
                interrupted.cancel()
                await asyncio.wait({interrupted})
                let.set()
                return [await asked({"order": again}), await asked({"order": again})]
        finally:
            await outward.close()

    assert asyncio.run(main()) == [{"placed": len(sent) - 1}, {"placed": len(sent)}]
    assert orders == sent
    assert len(set(keys)) == len(keys)


def test_a_schema_may_let_other_arguments_through() -> None:
    told, _ = use(shipped, {"order": "4821", "more": 1}, parameters=ORDER | {"additionalProperties": True})
    assert told == {"status": "shipped"}


def test_a_failure_is_told_to_the_model_and_noted() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="stack trace")

    told, events = use(answer, {"order": "4821"})
    assert told == {"error": "HTTP 503"}
    assert events == [call.used("look_up", ""), call.tool_failed("look_up", "HTTP 503")]


@pytest.mark.parametrize(
    ("language", "said"), [("en", "One moment."), ("hi-IN", "एक मिनट।"), ("ta", "One moment."), ("EN-in", "One moment.")]
)
def test_what_is_said_meanwhile_is_in_the_language_of_the_call(language: str, said: str) -> None:
    _, events = use(shipped, {"order": "4821"}, language, saying={"en": "One moment.", "hi": "एक मिनट।"})
    assert events[0] == call.used("look_up", said)


def test_secrets_are_in_no_form_of_a_tool(credentials: Path) -> None:
    made = own_tools.plan(Ai(tools={"look_up": tool(credential="crm", headers={"X-Api-Key": "{credential}"})}))
    assert SECRET not in repr(made)
    assert SECRET not in keys.redact(f"it says {SECRET}")
