"""From the settings to services: the meaning of each name, and all mistakes of it at once."""

import asyncio
import importlib.util
import ssl
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from exotel_ws import modes, settings
from exotel_ws.ai import spec
from exotel_ws.ai.embedded.models import Models
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.providers import supply
from exotel_ws.ai.providers.plan import Planned, plan
from exotel_ws.ai.providers.presets import EXTRAS
from exotel_ws.ai.providers.supply import Supply
from exotel_ws.ai.settings import Ai
from exotel_ws.settings import SettingsError
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.legacy import client as legacy


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("openai-api-key", "deepgram-api-key", "elevenlabs-api-key", "azure-speech-key", "azure-openai-key"):
        (tmp_path / name).write_text(f"the-{name}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def ai(**raw: Any) -> Ai:
    return msgspec.convert(settings.check({"ai": raw}).ai, Ai)


def problems(**raw: Any) -> list[str]:
    return plan(ai(**raw)).problems


def planned(stage: Any, name: str, **table: Any) -> Planned:
    made = plan(ai(**{stage: [name], "services": {name: table}}))
    assert not made.problems
    found = made.services[stage][0]
    assert found
    return found


def test_the_embedded_set_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert plan(Ai()) == ({"stt": [None], "llm": [None], "tts": [None]}, [], [])


def test_failover_order_is_kept() -> None:
    made = plan(ai(stt=["deepgram", "embedded", "openai"]))
    assert [one.name if one else "embedded" for one in made.services["stt"]] == ["deepgram", "embedded", "openai"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            {"tts": ["elevenlab"]},
            'ai.tts: unknown service "elevenlab" (did you mean "elevenlabs"? tts can be: embedded',
        ),
        ({"llm": ["deepgram"]}, 'ai.llm: unknown service "deepgram" (it does stt and tts; llm can be: embedded'),
        (
            {"llm": ["soniox"], "services": {"soniox": {"model": "x"}}},
            'ai.llm: unknown service "soniox" (it does stt and tts; llm can be: embedded',
        ),
        ({"tts": ["rime"]}, '"rime" has several services, say which: "rime:RimeTTSService", "rime:RimeHttpTTSService"'),
        ({"tts": ["rime:RimeX"]}, "RimeX"),
        ({"llm": ["openai.realtime"]}, '"openai.realtime" hears the caller by itself'),
        ({"tts": ["elevenlabs"]}, 'ai.services.elevenlabs: needs [ai.services.elevenlabs] voice = "…"'),
        (
            {"stt": ["azure"]},
            'ai.services.azure: needs [ai.services.azure] options = { region = "…" } or [ai.services.azure] base_url = "…"',
        ),
        ({"llm": ["azure"]}, 'needs [ai.services.azure] base_url = "…"'),
        ({"tts": ["minimax"]}, 'needs [ai.services.minimax] options = { group_id = "…" }'),
        ({"tts": ["xtts"]}, 'needs [ai.services.xtts] base_url = "…"'),
        ({"llm": ["ollama"]}, 'needs [ai.services.ollama] model = "…"'),
        ({"llm": ["llama.cpp"], "services": {"llama.cpp": {"voice": "x"}}}, "voice: OpenAILLMService has no voice"),
        ({"stt": ["cartesia"]}, 'Add to the inventory: exotel_ws_ai_keys: {cartesia-api-key: "…"}'),
        ({"tts": ["hume"]}, 'Add hume = ["pipecat-ai[hume]==1.14.*"] to the extras of pyproject.toml'),
        (
            {"stt": ["cartesia"], "services": {"cartesia": {"credential": "/nope"}}},
            "no key: /nope: can't be read: No such file or directory. Put the file there, or name a credential and add it to the "
            'inventory: exotel_ws_ai_keys: {NAME: "…"}',
        ),
        ({"language": "en\0\n"}, "ai.language: is no language: it is written as en, hi or hi-IN"),
        (
            {"stt": ["deepgram"], "services": {"deepgram": {"language": "en hi"}}},
            "ai.services.deepgram.language: is no language: it is written as en, hi or hi-IN",
        ),
        ({"language": "hi"}, 'ai.stt: "embedded" is for English only, and ai.language is "hi"'),
    ],
)
def test_each_problem_says_what_to_add(raw: dict[str, Any], said: str) -> None:
    assert said in "\n".join(problems(**raw))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temprature": 0.5}, 'options.temprature: OpenAILLMService has no temprature (did you mean "temperature"?)'),
        ({"temperature": "warm"}, "options.temperature: Input should be"),
        ({"api_key": "s3cret"}, "options.api_key: keys come from credentials only"),
        ({"params": {}}, "options.params: OpenAILLMService has no params"),
    ],
)
def test_options_are_judged(options: dict[str, Any], said: str) -> None:
    found = problems(llm=["openai"], services={"openai": {"options": options}})
    assert said in "\n".join(found)
    assert "s3cret" not in str(found)


def test_every_problem_at_once() -> None:
    found = problems(
        stt=["deepgran"], llm=["mine"], tts=["elevenlabs"], services={"mine": {"use": "ollama", "options": {"temprature": 1}}}
    )
    assert len(found) == 4


def test_a_table_may_serve_two_stages() -> None:
    """A table may serve two stages of which only one has a voice."""
    raw: dict[str, Any] = {"stt": ["deepgram"], "tts": ["deepgram"]}
    assert not problems(**raw, services={"deepgram": {"voice": "aura-2-thalia-en"}})
    assert "options.zzz" in str(problems(**raw, services={"deepgram": {"options": {"zzz": 1}}}))


def test_settings_go_where_the_service_has_them() -> None:
    made = planned("tts", "elevenlabs", voice="v", model="m", base_url="ws://x", options={"stability": 0.5, "auto_mode": False})
    assert made.settings == {"voice": "v", "model": "m", "stability": 0.5}
    assert made.parameters == {"url": "ws://x", "auto_mode": False}


def test_the_key_of_a_provider_goes_to_its_own_address_alone() -> None:
    assert (planned("llm", "openai").key or ("",))[0] == "openai-api-key"
    assert planned("llm", "openai", base_url="http://127.0.0.1:8000/v1").key is None
    assert planned("llm", "openai", base_url="http://127.0.0.1:8000/v1", credential="deepgram-api-key").key
    assert planned("llm", "azure", base_url="https://mine.openai.azure.com/openai/v1").key, "every customer has an own address"


def test_a_key_shows_neither_in_the_plan_nor_in_what_is_made() -> None:
    made = planned("tts", "elevenlabs", voice="v")
    assert "the-elevenlabs-api-key" not in f"{made!r} {made.make()!r}"
    assert made.make()._api_key == "the-elevenlabs-api-key"


def test_without_systemd_the_rest_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    made = plan(ai(stt=["deepgram", "google"], tts=["elevenlabs"]), read_keys=False)
    assert made.unread == ["deepgram-api-key", "google-credentials", "elevenlabs-api-key"]
    assert len(made.problems) == 1
    assert supply.check(ai(stt=["deepgram", "google"]), read_keys=False) == ["deepgram-api-key", "google-credentials"]


def test_what_only_the_constructor_refuses_is_found_at_start(credentials: Path) -> None:
    (credentials / "google-credentials").write_text('{"type": "service_account"}')
    with pytest.raises(SettingsError) as error:
        supply.check(
            ai(stt=["google"], tts=["sarvam"], services={"sarvam": {"model": "bulbul:v0", "credential": "openai-api-key"}})
        )
    google, tts = sorted(error.value.problems)
    assert google.startswith("ai.services.google: GoogleSTTService can't be made:")
    assert "Unsupported model 'bulbul:v0'" in tts


def test_a_prompt_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ai\.prompt: .*none: can't be read: .*: write the prompt there$"):
        supply.check(ai(prompt=str(tmp_path / "none")))
    with pytest.raises(SettingsError, match=r"ai\.prompt: /dev/zero: can't be read: it is no regular file"):
        supply.check(ai(prompt="/dev/zero"))


@pytest.mark.parametrize("path", ["a\0b", "\0"])
def test_a_name_that_no_file_can_have(path: str) -> None:
    with pytest.raises(SettingsError, match=r"ai\.prompt: .*can't be read"):
        supply.check(ai(prompt=path))
    found = problems(llm=["openai"], services={"openai": {"credential": path}})
    assert any("is no name of a file" in problem for problem in found)


@pytest.mark.parametrize(
    "url",
    [
        "hooks",
        "ftp://host/hook",
        "http:///hook",
        "http://host:99999/",
        "http://host:no/",
        "https://ho st/",
        "https://host/\n",
        "//h/",
    ],
)
def test_a_webhook_has_an_address(url: str) -> None:
    with pytest.raises(SettingsError) as error:
        supply.check(ai(webhook_url=url, llm=["ollama"]))
    webhook, model = error.value.problems
    assert webhook.startswith("ai.webhook_url: ")
    assert "needs" in model


@pytest.mark.parametrize(
    "url", ["not a url", "htp://host/v1", "http://", "http://host:99999/", "https://host/\n", "/v1", "wss://"]
)
def test_a_service_has_an_address(url: str) -> None:
    (problem,) = problems(llm=["ollama"], services={"ollama": {"model": "m", "base_url": url}})
    assert problem.startswith("ai.services.ollama: base_url: is no address")


@pytest.mark.parametrize("url", ["https://host/v1", "wss://host", "http://[::1]:8000", "api.elevenlabs.io", "127.0.0.1:8000"])
def test_an_address_of_a_service(url: str) -> None:
    assert not problems(llm=["ollama"], services={"ollama": {"model": "m", "base_url": url}})


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8000/hook?a=b", "https://user:secret@[::1]/", "https://crm.example.com"])
def test_an_address_of_a_webhook(url: str) -> None:
    assert supply.check(ai(webhook_url=url)) == []


def services(**raw: Any) -> Supply:
    return Supply(ai(**raw), cast(Models, None), "http://127.0.0.1:1/v1")


def test_each_call_has_services_of_its_own() -> None:
    ours = services(llm=["openai", "embedded"])
    first, second = ours.llm(), ours.llm()
    assert [named.name for named in first] == ["openai", "embedded"]
    assert all(one.service is not other.service for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("of_service", "asked", "told"),
    [("", "", "en-IN"), ("", "hi-IN", "hi"), ("multi", "", "multi"), ("multi", "en-IN", "multi"), ("multi", "hi-IN", "hi")],
)
def test_language(of_service: str, asked: str, told: str) -> None:
    """A call's own language goes before the service's, and that before the one for all."""
    ours = services(stt=["deepgram"], language="en-IN", services={"deepgram": {"language": of_service}})
    service: Any = ours.stt(asked)[0].service
    assert str(service._settings.language) in (told, {"hi": "hi-IN"}.get(told, told))


def test_a_voice_is_for_the_first_service_alone() -> None:
    own = {"elevenlabs": {"voice": "own"}, "deepgram": {"voice": "aura-2-thalia-en"}}
    ours = services(tts=["elevenlabs", "deepgram"], voice="all", services=own)
    voices = [[cast(Any, named.service)._settings.voice for named in ours.tts("", asked)] for asked in ("", "all", "asked")]
    assert voices == [["own", "aura-2-thalia-en"], ["own", "aura-2-thalia-en"], ["asked", "aura-2-thalia-en"]]


def test_the_embedded_recogniser_knows_what_its_bot_understands() -> None:
    topic, models = Topic(cast(Any, None), lambda _text: "nothing"), SimpleNamespace(recognition=None)
    service: Any = Supply(ai(), cast(Models, models), "http://127.0.0.1:1/v1", topic=topic).stt()[0].service
    assert service._topic is topic


def test_the_prompt_is_told(tmp_path: Path) -> None:
    (tmp_path / "prompt").write_text("Sell nothing.\n")
    for named in services(llm=["openai", "embedded"], prompt=str(tmp_path / "prompt")).llm():
        assert cast(Any, named.service)._settings.system_instruction == "Sell nothing."


def test_ai_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(spec, "find_spec", lambda name: None if name == "pipecat" else find(name))
    for verb in (modes.check, modes.make):
        with pytest.raises(SettingsError, match=r"ai is not installed \(pipecat\).* exotel_ws_extras: \[ai\]"):
            verb(settings.check({"mode": "ai"}))
    assert modes.check(settings.check({})) == []


def test_the_extras_are_those_of_the_project() -> None:
    project = Path(__file__).parents[3]
    extras = tomllib.loads((project / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    assert extras - {"ai", "api"} == EXTRAS
    assert all((project / "requirements" / f"{extra}.lock").exists() for extra in extras)


def test_no_call_reads_the_certificates_of_all_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read once: it takes 26 ms, in which no other call is served."""
    made = Supply(ai(stt=["deepgram"], llm=["openai"]), cast(Models, None), "http://127.0.0.1:1")
    read: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *args, **_options: read.append(args))

    async def call() -> None:
        assert made.stt()
        assert made.llm()

    asyncio.run(call())

    assert not read


def test_the_audio_of_calls_is_not_compressed() -> None:
    Supply(ai(), cast(Models, None), "http://127.0.0.1:1")

    async def agreed(connect: Any) -> list[object]:
        async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as socket:
                return [*(socket.extensions if hasattr(socket, "extensions") else socket.protocol.extensions)]

    assert asyncio.run(agreed(connect)) == []
    assert asyncio.run(agreed(legacy.connect)) == []
