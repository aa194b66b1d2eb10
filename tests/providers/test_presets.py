"""Every preset does its work from settings alone, with a server that speaks as its provider's."""

import asyncio
import logging
import re
import ssl
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from exotel_ws import settings
from exotel_ws.ai import pipecat_logs
from exotel_ws.ai.embedded.models import Models
from exotel_ws.ai.providers.catalogue import Stage
from exotel_ws.ai.providers.keys import redact
from exotel_ws.ai.providers.presets import PRESETS
from exotel_ws.ai.providers.supply import Supply
from exotel_ws.ai.settings import Ai
from pipecat.frames.frames import LLMTextFrame, TranscriptionFrame

from . import rig
from .fakes.azure import AzureSpeech
from .fakes.cartesia import Cartesia
from .fakes.certificate import Certificate, make
from .fakes.deepgram import Deepgram
from .fakes.elevenlabs import ElevenLabs
from .fakes.google import Google
from .fakes.openai import ANSWER, AzureOpenAI, Gemini, OpenAI
from .fakes.sarvam import Sarvam
from .fakes.server import KEY, SPEECH, Fake, transcript


class Case(NamedTuple):
    """Preset and stage under test. ``table`` has its settings; {} in a value is the fake's address."""

    stage: Stage
    preset: str
    fake: type[Fake]
    table: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.preset}-{self.stage}"


CASES = [
    Case("stt", "deepgram", Deepgram, {"base_url": "ws://{}"}),
    Case("tts", "deepgram", Deepgram, {"base_url": "ws://{}", "voice": "aura-2-thalia-en"}),
    Case("stt", "sarvam", Sarvam, {"base_url": "ws://{}/speech-to-text-realtime/ws"}),
    Case("llm", "sarvam", Sarvam, {"base_url": "http://{}/v1"}),
    Case("tts", "sarvam", Sarvam, {"base_url": "ws://{}/text-to-speech/ws", "voice": "anushka"}),
    Case("stt", "openai", OpenAI, {"base_url": "http://{}/v1"}),
    Case("llm", "openai", OpenAI, {"base_url": "http://{}/v1", "model": "gpt-4o-mini"}),
    Case("tts", "openai", OpenAI, {"base_url": "http://{}/v1", "voice": "coral"}),
    Case("llm", "gemini", OpenAI, {"base_url": "http://{}/v1"}),
    Case("llm", "vllm", OpenAI, {"base_url": "http://{}/v1", "model": "llama"}),
    Case("llm", "ollama", OpenAI, {"base_url": "http://{}/v1", "model": "llama"}),
    Case("llm", "llama.cpp", OpenAI, {"base_url": "http://{}/v1"}),
    Case("llm", "google", Gemini, {"options": {"http_options": {"base_url": "http://{}", "retry_options": {"attempts": 1}}}}),
    Case("llm", "azure", AzureOpenAI, {"base_url": "http://{}/openai/v1"}),
    Case("stt", "azure", AzureSpeech, {"base_url": "ws://{}"}),
    Case("tts", "azure", AzureSpeech, {"base_url": "ws://{}"}),
    Case("tts", "elevenlabs", ElevenLabs, {"base_url": "ws://{}", "voice": "21m00"}),
    Case("stt", "cartesia", Cartesia, {"base_url": "ws://{}"}),
    Case("tts", "cartesia", Cartesia, {"base_url": "ws://{}/tts/websocket", "voice": "a0e9"}),
]

EACH_SERVICE = [case for case in CASES if case.preset not in ("gemini", "vllm", "ollama", "llama.cpp")]
"""Presets but for those that are OpenAI's service at another address."""


def supply(case: Case, address: str) -> Supply:
    table = _filled(case.table, address) | {"credential": "a-key"}
    raw = {case.stage: [case.preset], "services": {case.preset: table}}
    return Supply(msgspec.convert(settings.check({"ai": raw}).ai, Ai), cast(Models, None), "")


def _filled(value: Any, address: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, address) for name, one in value.items()}
    return value.replace("{}", address) if isinstance(value, str) else value


async def use(case: Case, address: str) -> rig.Outcome:
    """Take one turn of the stage, with the first service of the supply."""
    services = supply(case, address)
    try:
        match case.stage:
            case "stt":
                return await rig.hear(services.stt("en")[0].service)
            case "llm":
                return await rig.think(services.llm("en")[0].service)
            case "tts":
                return await rig.speak(services.tts("en", "")[0].service)
    finally:
        await services.close()


def does_its_work(case: Case, fake: Fake | Google, outcome: rig.Outcome) -> None:
    assert not outcome.errors
    match case.stage:
        case "stt":
            assert [frame.text for frame in outcome.of(TranscriptionFrame)] == [transcript(len(rig.UTTERANCE))]
        case "llm":
            assert "".join(frame.text for frame in outcome.of(LLMTextFrame)) == "".join(ANSWER)
            assert "Who is there?" in str(fake.contexts)
            assert "You speak on a telephone call: " in str(fake.contexts), "the system prompt"
        case "tts":
            assert "".join(fake.said).strip() == "Hello there."
            assert rig.audio(outcome) == SPEECH


@pytest.fixture
def key(credentials: Path) -> Path:
    (credentials / "a-key").write_text(KEY)
    return credentials / "a-key"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_does_its_work(case: Case, key: Path) -> None:
    with case.fake() as fake:
        does_its_work(case, fake, asyncio.run(use(case, fake.address)))


BEGINS_AT_ONCE = [case for case in CASES if str(case) in ("openai-tts", "azure-tts")]
"""Voices whose fakes speak what they are given, and not only at the end of all of it."""


@pytest.mark.parametrize("case", BEGINS_AT_ONCE, ids=str)
def test_a_voice_begins_while_the_model_still_writes_the_sentence(case: Case, key: Path) -> None:
    async def begin(address: str) -> rig.Outcome:
        services = supply(case, address)
        try:
            return await rig.begin_to_speak(services.tts("en")[0].service, "We are open ", "from nine to six, ", "Monday ")
        finally:
            await services.close()

    with case.fake() as fake:
        outcome = asyncio.run(begin(fake.address))
        assert "".join(fake.said).strip() == "We are open from nine to six,"
        assert rig.audio(outcome)


@pytest.mark.parametrize("case", EACH_SERVICE, ids=str)
def test_wrong_key_is_an_error_without_the_key(case: Case, key: Path, caplog: pytest.LogCaptureFixture) -> None:
    key.write_text("the-wrong-key")
    with case.fake() as fake, caplog.at_level(logging.DEBUG):
        pipecat_logs.route()
        outcome = asyncio.run(use(case, fake.address))
    assert re.search("40[13]", str(outcome.errors))
    assert "the-wrong-key" not in redact(str(outcome.errors))
    assert "the-wrong-key" not in caplog.text
    assert "pipecat" in caplog.text, "what is not logged proves nothing"


@pytest.mark.parametrize("case", EACH_SERVICE, ids=str)
def test_nobody_there_is_an_error(case: Case, key: Path) -> None:
    with case.fake() as fake:
        gone = fake.address
    assert asyncio.run(use(case, gone)).errors


def test_a_key_that_comes_back_is_redacted(key: Path) -> None:
    """A key that comes back in an error is redacted, because the error is logged."""
    key.write_text("the-wrong-key")
    case = next(case for case in CASES if str(case) == "openai-llm")
    with case.fake() as fake:
        outcome = asyncio.run(use(case, fake.address))
    assert "the-wrong-key" in str(outcome.errors)
    assert "Incorrect API key provided: Bearer [a-key]" in redact(str(outcome.errors))


def over_tls(certificate: Certificate, tmp_path: Path) -> ElevenLabs:
    (tmp_path / "both.pem").write_bytes(certificate.certificate + certificate.key)
    fake = ElevenLabs()
    fake.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    fake.tls.load_cert_chain(tmp_path / "both.pem")
    return fake


ELEVENLABS_STT = Case("stt", "elevenlabs", ElevenLabs, {"base_url": "{}"})
"""Preset whose address has no scheme: it is always TLS."""


def test_elevenlabs_hears(key: Path, certificate: Certificate, tmp_path: Path) -> None:
    with over_tls(certificate, tmp_path) as fake:
        does_its_work(ELEVENLABS_STT, fake, asyncio.run(use(ELEVENLABS_STT, fake.address)))
    assert fake.asked[0][1]["language_code"] == "eng"


def test_elevenlabs_with_a_wrong_key_does_not_hear(key: Path, certificate: Certificate, tmp_path: Path) -> None:
    key.write_text("the-wrong-key")
    with over_tls(certificate, tmp_path) as fake:
        outcome = asyncio.run(use(ELEVENLABS_STT, fake.address))
    assert "401" in str(outcome.errors)
    assert "the-wrong-key" not in redact(str(outcome.errors))


GOOGLE = [Case("stt", "google", Fake, {}), Case("tts", "google", Fake, {})]


@pytest.mark.parametrize("case", GOOGLE, ids=str)
def test_google_does_its_work(case: Case, key: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    with Google(certificate) as fake:
        monkeypatch.setenv("grpc_proxy", fake.proxy)
        key.write_text(fake.account())
        does_its_work(case, fake, asyncio.run(use(case, "")))


@pytest.mark.parametrize("case", GOOGLE, ids=str)
def test_google_with_a_wrong_key(case: Case, key: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    with Google(certificate) as fake:
        monkeypatch.setenv("grpc_proxy", fake.proxy)
        key.write_text(fake.account(make("another.example")))
        outcome = asyncio.run(use(case, ""))
    # A stream that is refused while it is written to may say no more than that it broke.
    assert re.search("401|500 Internal error", str(outcome.errors))
    assert not outcome.of(TranscriptionFrame)
    assert not rig.audio(outcome)


@pytest.mark.parametrize("case", GOOGLE, ids=str)
def test_google_is_not_there(case: Case, key: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    with Google(certificate) as fake:
        monkeypatch.setenv("grpc_proxy", fake.proxy)
        key.write_text(fake.account())
    assert asyncio.run(use(case, "")).errors


# The presets tried here are those that the page shows.


def test_each_preset_is_tried_at_each_of_its_stages() -> None:
    tried = {(case.preset, case.stage) for case in (*CASES, ELEVENLABS_STT, *GOOGLE)}
    assert tried == {(preset, stage) for preset, stages in PRESETS.items() for stage in stages}


def test_the_page_shows_each_preset_with_its_stages_and_its_credential() -> None:
    page = (Path(__file__).parents[2] / "docs/ai.md").read_text("utf-8")
    section = page.partition("\n## Presets\n")[2].partition("\n## ")[0]
    told = {
        (preset, stage, "" if "none" in credential else re.findall(r"`([^`]+)`", credential)[0])
        for names, stages, credential in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|[^|]*\|[^|]*\| ([^|]+) \|", section, re.MULTILINE)
        for preset in re.findall(r"`([^`]+)`", names)
        for stage in stages.split(", ")
    }
    assert told == {(name, stage, preset.credential) for name, stages in PRESETS.items() for stage, preset in stages.items()}
