"""Several bots: each call has its own, by parameter, number or path, and what can't be told apart is refused at start."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from exotel_ws.ai.bots import derive
from exotel_ws.ai.bots.routing import MOST, Routing, digits, problems
from exotel_ws.ai.scripted.endpoint import MODEL, model_of
from exotel_ws.ai.settings import Ai, Bot
from exotel_ws.ai.spec import SPEC
from exotel_ws.protocol import Start
from exotel_ws.settings import Settings, SettingsError

from .test_ai_plan import services

FLOW = "greeting: {}\nfallback: [Sorry.]\nintents: {{a: {{examples: [one], say: Yes.}}}}\n"
BOTS = {
    "sales": Bot(numbers=["+91 80-4711-2233", "1800 123 4567"], paths=["/sales"]),
    "Help": Bot(numbers=["+6531234567"], paths=["/sales/help", "/help"]),
}


def ai(**raw: Any) -> Ai:
    return msgspec.convert(raw, Ai)


@pytest.mark.parametrize(
    ("to", "path", "parameter", "bot", "unknown"),
    [
        ("08047112233", "/", "", "sales", False),
        ("918047112233", "/", "", "sales", False),
        ("+918047112233", "/help", "", "sales", False),
        ("8047112233", "/", "", "sales", False),
        ("8047112234", "/", "", "default", False),
        ("18001234567", "/", "", "sales", False),
        ("6531234567", "/", "", "Help", False),
        ("", "/sales", "", "sales", False),
        ("", "/sales/a-token", "", "sales", False),
        ("", "/sales/help/a-token", "", "Help", False),
        ("", "/salesmen", "", "default", False),
        ("", "/", "", "default", False),
        ("08047112233", "/sales", "help", "Help", False),
        ("08047112233", "/sales", "default", "default", False),
        ("08047112233", "/", "nobody", "sales", True),
        ("", "/", "x" * 1000, "default", True),
    ],
)
def test_a_call_has_its_bot(to: str, path: str, parameter: str, bot: str, unknown: bool) -> None:
    start = Start("s1", to=to, custom_parameters={"bot": parameter} if parameter else {})
    assert Routing(BOTS).choose(start, path) == (bot, unknown)


@pytest.mark.parametrize("number", ["", "anonymous", "sip:x@example", "０८०"])
def test_what_is_no_number_is_nobodys(number: str) -> None:
    assert Routing(BOTS).choose(Start("s1", to=number), "/") == ("default", False)
    assert digits(number) == ""


@pytest.mark.parametrize(
    ("bots", "served", "said"),
    [
        (BOTS, [], None),
        (BOTS, ["/sales", "/sales/help", "/help"], None),
        (BOTS, ["/sales"], "ai.bots.Help.paths: /sales/help is not served: add it to paths, which has /sales"),
        (
            {"a": Bot(numbers=["08047112233"]), "b": Bot(numbers=["+918047112233"])},
            [],
            "ai.bots.b.numbers: +918047112233 leads to a",
        ),
        ({"a": Bot(paths=["/x"]), "b": Bot(paths=["/x"])}, [], "ai.bots.b.paths: /x leads to a already: which is meant?"),
        ({"a": Bot(), "A": Bot()}, [], "ai.bots.A.name: A leads to a already"),
        ({"a": Bot(numbers=["12"])}, [], "ai.bots.a.numbers: 12 is no telephone number: it is written as +91"),
        ({"a": Bot(numbers=["80 CALL ME"])}, [], "ai.bots.a.numbers: 80 CALL ME is no telephone number"),
        ({"a": Bot(paths=["sales"])}, [], "ai.bots.a.paths: sales is no path: it is written as /sales"),
        ({"a": Bot(paths=["/"])}, [], "ai.bots.a.paths: / is no path"),
        ({"default": Bot()}, [], "ai.bots.default: a name has up to 32 letters, digits and dashes, and is not default"),
        ({"a/b": Bot()}, [], "ai.bots.a/b: a name has"),
        ({f"b{i}": Bot() for i in range(MOST + 1)}, [], f"ai.bots: there are {MOST + 1}, at most {MOST} are possible"),
    ],
)
def test_a_call_for_nobody_or_for_two_is_a_problem(bots: dict[str, Bot], served: list[str], said: str | None) -> None:
    found = problems(bots, served)
    assert (found == []) if said is None else found[0].startswith(said)


def test_a_bot_has_what_it_says_and_else_what_all_have() -> None:
    settings = ai(greeting="Welcome.", voice="one", llm=["openai"], prompt="all.txt", goodbye="Bye.")
    own = derive.settings_of(settings, Bot(prompt="own.txt", language="hi-IN", greeting={"hi": "नमस्ते।"}))
    assert (own.prompt, own.language, own.greeting) == ("own.txt", "hi-IN", {"hi": "नमस्ते।"})
    assert (own.voice, own.llm, own.goodbye, own.bots) == ("one", ["openai"], "Bye.", {})
    assert derive.settings_of(settings, Bot(flow="own.yml")).greeting == "", "the greeting of its own flow"
    assert derive.settings_of(settings, Bot(tts=["sarvam"])).voice == "", "another service has no such voice"


def test_language_and_voice_of_a_bot_go_before_those_of_the_services_tables() -> None:
    table = {"base_url": "http://127.0.0.1:1/v1", "voice": "alloy", "language": "en"}
    settings = ai(stt=["openai"], tts=["openai"], services={"openai": table})
    own = derive.settings_of(settings, Bot(voice="onyx", language="hi"))
    made = services(**msgspec.to_builtins(own))
    [(_, tts)], [(_, stt)] = made.tts(), made.stt()
    assert (tts._settings.voice, stt._settings.language) == ("onyx", "hi")
    [(_, usual)] = services(**msgspec.to_builtins(settings)).tts()
    assert usual._settings.voice == "alloy"


def test_each_bot_is_judged_and_what_is_wrong_for_all_is_said_once(tmp_path: Path) -> None:
    bots = {"a": {"tts": ["nobody"]}, "b": {"flow": str(tmp_path / "none.yml")}, "c": {"language": "hi"}, "d": {"voice": "x"}}
    with pytest.raises(SettingsError) as error:
        SPEC.check(Settings(mode="ai", ai={"webhook_url": "nowhere", "bots": bots}))
    said = error.value.problems
    assert said[0].startswith("ai.webhook_url")
    assert said[1].startswith('ai.bots.a: ai.tts: unknown service "nobody"')
    assert said[2].startswith(f"ai.bots.b: ai.flow: {tmp_path}/none.yml: can't be read")
    assert said[3].startswith('ai.bots.c: ai.stt: "embedded" is for English only')
    assert not [problem for problem in said if "ai.bots.d" in problem]


def test_bots_share_a_flow_or_have_their_own(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(FLOW.format("Sales here."), "utf-8")
    settings = ai(bots={"a": {"flow": str(tmp_path / "own.yml")}, "b": {"voice": "x"}})
    flows = derive.load(settings, []).flows
    assert flows["b"] is flows["default"]
    assert flows["a"].greeting_in("en") == "Sales here."


def test_a_flow_of_a_bot_is_a_model_of_the_endpoint() -> None:
    assert (MODEL, model_of("sales")) == ("scripted", "scripted/sales")
