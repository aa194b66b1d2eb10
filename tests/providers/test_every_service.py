"""Every service that pipecat carries is reached by its name, with its SDK or without."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pipecat.services
import pytest
from exotel_ws import settings
from exotel_ws.ai.providers import catalogue
from exotel_ws.ai.providers.catalogue import STAGES
from exotel_ws.ai.providers.plan import plan
from exotel_ws.ai.providers.presets import PRESETS
from exotel_ws.ai.settings import Ai

_ROOT: Final = Path(pipecat.services.__path__[0])
_KEYS: Final = {"api_key", "credentials", "aws_secret_key", "secret_access_key"}
WITHOUT_A_KEY: Final = {
    *("FunASRSTTService", "MoonshineSTTService", "WhisperSTTService"),
    *("KokoroTTSService", "PiperTTSService", "PiperHttpTTSService", "PocketTTSService", "XTTSService"),
    # The role of the machine they run on is their key.
    *("DeepgramFluxSageMakerSTTService", "DeepgramSageMakerSTTService", "NvidiaSageMakerSTTService"),
    *("DeepgramFluxSageMakerTTSService", "DeepgramSageMakerTTSService"),
    *("NvidiaSageMakerHTTPTTSService", "NvidiaSageMakerTTSService"),
}
HEARS_ITSELF: Final = {
    *("AWSNovaSonicLLMService", "AzureRealtimeLLMService", "AzureVoiceLiveLLMService", "GeminiLiveLLMService"),
    *("GeminiLiveVertexLLMService", "GrokRealtimeLLMService", "InworldRealtimeLLMService", "NvidiaOmniLLMService"),
    *("OpenAILiveLLMService", "OpenAIRealtimeLLMService", "UltravoxRealtimeLLMService"),
}
_ABSTRACT: Final = {"BaseWhisperSTTService", "GoogleBaseTTSService", "AzureBaseTTSService", "BaseOpenAILLMService"}


@pytest.fixture(scope="module")
def services() -> list[dict[str, Any]]:
    """List all services, with stand-ins for missing SDKs, in another process, which the stand-ins don't outlive."""
    command = [sys.executable, "-m", "tests.providers.stubs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return listed


def test_none_is_missing(services: list[dict[str, Any]]) -> None:
    """No service is missing, by the text of pipecat, which needs no SDK."""
    there = {
        node.name
        for path in _ROOT.glob("*/**/*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith(("STTService", "LLMService", "TTSService"))
    }
    found = {service["class"] for service in services}
    assert len(found) > 100
    assert {name for name in there - found if not name.startswith("_")} == _ABSTRACT


def test_each_constructor_is_understood(services: list[dict[str, Any]]) -> None:
    for service in services:
        assert "settings" in service["parameters"], service
        assert "model" in service["settings"], service
        assert service["stage"] != "tts" or "voice" in service["settings"], service
        assert service["stage"] == "llm" or "language" in service["settings"], service
        if "voice" in service["settings"]:
            assert "voice_id" not in service["parameters"], f"deprecated, for there is Settings: {service}"


def test_what_pipecat_calls_deprecated_is_not_taken(services: list[dict[str, Any]]) -> None:
    for service in services:
        taken = {*service["parameters"], *service["settings"]} & set(service["deprecated"])
        # A setting that was a parameter too keeps its name; the parameter alone is deprecated.
        assert service["class"] in HEARS_ITSELF or taken <= set(service["settings"]), service
    documented = {name for service in services for name in service["deprecated"]}
    assert documented >= catalogue._DEPRECATED
    assert {cls: names for cls, names in catalogue._DEPRECATED_OF.items() if not names <= _documented(services, cls)} == {}


def _documented(services: list[dict[str, Any]], class_name: str) -> set[str]:
    return {name for service in services if service["class"] == class_name for name in service["deprecated"]}


def test_each_takes_a_key_or_needs_none(services: list[dict[str, Any]]) -> None:
    without = {service["class"] for service in services if not _KEYS & set(service["parameters"])}
    assert without - HEARS_ITSELF == WITHOUT_A_KEY


def test_those_that_hear_by_themselves_are_told_apart(services: list[dict[str, Any]]) -> None:
    assert {service["class"] for service in services if service["hears_itself"]} == HEARS_ITSELF


@pytest.mark.parametrize("stage", STAGES)
def test_a_missing_sdk_is_a_problem_that_names_the_extra(stage: catalogue.Stage) -> None:
    """A name leads to its classes, or to the line to add if its SDK is not installed here."""
    missing = dict(_missing(stage))
    assert missing, "every SDK is installed here: nothing was tried"
    for name, package in missing.items():
        problems = str(plan(msgspec.convert(settings.check({"ai": {stage: [name]}}).ai, Ai), read_keys=False).problems)
        assert f"exotel_ws_extras: [ai, {name.partition('.')[0].replace('_', '-')}]" in problems
        assert package in problems


def _missing(stage: catalogue.Stage) -> Iterator[tuple[str, str]]:
    for name in catalogue.names(stage):
        try:
            assert catalogue.classes(stage, name), name
        except catalogue.NoSdk as missing:
            yield name, missing.package


def test_every_preset_leads_to_a_service() -> None:
    for name, stages in PRESETS.items():
        for stage, preset in stages.items():
            package, _, class_name = preset.service.partition(":")
            assert class_name in catalogue.classes(stage, package), name
