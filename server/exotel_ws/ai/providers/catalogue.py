"""Find services of pipecat by name, and what their constructors take. Only a service that is asked for is imported."""

import dataclasses
import importlib
import inspect
import sys
import typing
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Literal, NamedTuple

import pipecat.services
from loguru import logger
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

Stage = Literal["stt", "llm", "tts"]
STAGES: Final[tuple[Stage, ...]] = ("stt", "llm", "tts")

_BASES: Final[dict[Stage, type]] = {"stt": STTService, "llm": LLMService, "tts": TTSService}
_ROOT: Final = Path(pipecat.services.__path__[0])
_ABSTRACT: Final = frozenset({"AzureBaseTTSService", "BaseOpenAILLMService", "BaseWhisperSTTService", "GoogleBaseTTSService"})
"""Bases of several services, in modules of services."""

# Deprecated names are held to pipecat's own documentation by tests/providers.
_DEPRECATED: Final = frozenset(
    (
        *("aggregate_sentences", "cartesia_version", "connection_params", "enable_async_tool_cancellation", "live_options"),
        *("model_id", "model_name", "params", "pause_watchdog_timeout_s", "pronunciation_dictionary_locators", "reference_id"),
        *("skip_aggregator_types", "text_filters", "voice_id"),
    )
)
"""Constructor parameters that pipecat 1.14 has for old callers, beside those that a service's ``Settings`` has as well."""
_DEPRECATED_OF: Final = {
    "AzureLLMService": frozenset({"api_version"}),
    "GoogleSTTService": frozenset({"language_codes"}),
    "GradiumSTTService": frozenset({"json_config"}),
    "SarvamRealtimeSTTService": frozenset({"language_code"}),
    "SpeechmaticsSTTService": frozenset({"operating_point"}),
}
"""Parameters and fields of ``Settings`` that are deprecated in one service; another has a use for the same name."""


class NoSdk(Exception):
    """The service needs a Python package that is not installed; ``package`` is the module that was missed."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package


class Takes(NamedTuple):
    """Arguments of a service's constructor: each name with its type, deprecated names left out."""

    parameters: dict[str, Any]
    required: set[str]
    settings: dict[str, Any]
    """Fields of the service's ``Settings``."""


@lru_cache
def names(stage: Stage) -> list[str]:
    """Return every name of a service of pipecat that ``ai.stt``, ``ai.llm`` or ``ai.tts`` accepts: its package, with dots."""
    modules = (path for path in _ROOT.glob(f"**/{stage}*.py") if path.parent != _ROOT)
    return sorted({".".join(path.relative_to(_ROOT).parts[:-1]) for path in modules if _has_classes(path)})


def _has_classes(module: Path) -> bool:
    """Return False for a module that only forwards a service's former name. Nothing is imported: that takes seconds."""
    return any(line.startswith("class ") for line in module.read_text("utf-8").splitlines())


def classes(stage: Stage, name: str, wanted: str = "") -> dict[str, type]:
    """Import the services of ``name`` for ``stage``. Raises `NoSdk` if none, or not the ``wanted`` one, can be imported."""
    found: dict[str, type] = {}
    missed: NoSdk | None = None
    for path in sorted((_ROOT / name.replace(".", "/")).glob(f"{stage}*.py")):
        try:
            module = _import(f"pipecat.services.{name}.{path.stem}")
        except NoSdk as error:
            missed = error
        else:
            found |= {service.__name__: service for service in _services(module, stage)}
    if missed and (wanted not in found if wanted else not found):
        raise missed
    return found


def _import(name: str) -> Any:
    # pipecat logs which of its own extras would be needed; ours have other names, and the caller says so.
    logger.disable("pipecat.services")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        origin = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        missed = origin.name if isinstance(origin, ImportError) else None
        raise NoSdk(missed or str(error)) from None
    finally:
        logger.enable("pipecat.services")


def _services(module: Any, stage: Stage) -> Iterator[type]:
    for name, member in vars(module).items():
        if not inspect.isclass(member) or member.__module__ != module.__name__ or name in _ABSTRACT:
            continue
        if issubclass(member, _BASES[stage]) and name.endswith("Service") and not name.startswith("_"):
            yield member


def hears_itself(service: type) -> bool:
    """Return True for a language model that hears the caller by itself, and so has no place between an STT and a TTS."""
    return issubclass(service, LLMService) and service.service_metadata_frame is not LLMService.service_metadata_frame


def takes(service: type) -> Takes:
    """Return what ``service`` takes, including its bases as far as their parameters are passed on."""
    parameters: dict[str, Any] = {}
    required: set[str] | None = None
    for cls in service.__mro__:
        if "__init__" not in vars(cls):
            continue
        constructor = vars(cls)["__init__"]
        hints = _hints(constructor)
        signature = inspect.signature(constructor).parameters.values()
        for parameter in signature:
            if parameter.kind is not parameter.KEYWORD_ONLY and parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
                continue
            if parameter.name == "self" or parameter.name in parameters:
                continue
            parameters[parameter.name] = hints.get(parameter.name, Any)
        if required is None:  # what a base requires, the class gives it
            required = {parameter.name for parameter in signature if parameter.default is parameter.empty} & parameters.keys()
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
            break
    fields = _fields(service)
    deprecated = _DEPRECATED | fields.keys() | _deprecated_of(service)
    usable = {name: kind for name, kind in parameters.items() if name not in deprecated}
    settings = {name: kind for name, kind in fields.items() if name not in _deprecated_of(service)}
    return Takes(usable, required or set(), settings)


def _deprecated_of(service: type) -> frozenset[str]:
    return frozenset().union(*(_DEPRECATED_OF.get(cls.__name__, ()) for cls in service.__mro__))


def _fields(service: type) -> dict[str, Any]:
    """Return the public fields of the service's ``Settings``, each with its type."""
    settings: Any = getattr(service, "Settings", None)
    if settings is None:
        return {}
    hints = _hints(settings)
    return {
        field.name: hints.get(field.name, Any)
        for field in dataclasses.fields(settings)
        if field.init and not field.name.startswith("_")
    }


def _hints(of: Any) -> dict[str, Any]:
    """Return the types of a constructor's parameters or a class's fields; `Any` for a type that can't be resolved."""
    try:
        return typing.get_type_hints(of)
    except (NameError, TypeError):  # one of them has a name that is imported for type checkers only
        pass
    hints: dict[str, Any] = {}
    for owner in reversed(of.__mro__) if inspect.isclass(of) else [of]:
        for name, annotation in inspect.get_annotations(owner).items():
            alone = SimpleNamespace(__annotations__={name: annotation})
            try:
                hints |= typing.get_type_hints(alone, vars(sys.modules[owner.__module__]))
            except (NameError, TypeError):
                hints[name] = Any
    return hints
