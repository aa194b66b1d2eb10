"""The services that pipecat carries, by name, and what their constructors take. Nothing is imported that was not asked for."""

import dataclasses
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Iterator
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
_BASE_CLASS: Final = re.compile(r"Base[A-Z]|^_")
_DEPRECATED: Final = re.compile(r"^ +(\w+)(?: \([^)]*\))?:((?:(?!^ +\w+(?: \([^)]*\))?: ).)*)", re.MULTILINE | re.DOTALL)


class NoSdk(Exception):
    """The service needs a Python package that is not installed; ``package`` is the module that was missed."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package


class Takes(NamedTuple):
    """What a service's constructor takes; deprecated parameters are left out. Each name with its type."""

    parameters: dict[str, Any]
    required: set[str]
    settings: dict[str, Any]
    """The fields of its ``Settings``."""


def names(stage: Stage) -> list[str]:
    """Every name that can stand in ``ai.stt``, ``ai.llm`` or ``ai.tts`` for a service of pipecat: its package, with dots."""
    modules = (path for path in _ROOT.glob(f"**/{stage}*.py") if path.parent != _ROOT)
    # One without a class of its own is the former name of another, and deprecated.
    return sorted({".".join(path.relative_to(_ROOT).parts[:-1]) for path in modules if "\nclass " in path.read_text("utf-8")})


def classes(stage: Stage, name: str, wanted: str = "") -> dict[str, type]:
    """The services of ``name`` for ``stage``. Raises `NoSdk` where none, or not the ``wanted`` one, can be imported."""
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
        raise NoSdk(getattr(origin, "name", None) or str(error)) from None
    finally:
        logger.enable("pipecat.services")


def _services(module: Any, stage: Stage) -> Iterator[type]:
    for name, member in vars(module).items():
        if not inspect.isclass(member) or member.__module__ != module.__name__:
            continue
        if issubclass(member, _BASES[stage]) and name.endswith("Service") and not _BASE_CLASS.search(name):
            yield member


def hears_itself(service: type) -> bool:
    """Whether this language model hears the caller by itself, and so has no place between an STT and a TTS."""
    return issubclass(service, LLMService) and service.service_metadata_frame is not LLMService.service_metadata_frame


def takes(service: type) -> Takes:
    """What ``service`` takes, its bases included as far as their parameters are passed on."""
    parameters: dict[str, Any] = {}
    required: set[str] | None = None
    deprecated: set[str] = set()
    for cls in service.__mro__:
        if "__init__" not in vars(cls):
            continue
        constructor = vars(cls)["__init__"]
        deprecated |= _deprecated(constructor.__doc__)
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
    usable = {name: kind for name, kind in parameters.items() if name not in deprecated}
    return Takes(usable, required or set(), _settings(service))


def _settings(service: type) -> dict[str, Any]:
    settings = getattr(service, "Settings", None)
    if settings is None:
        return {}
    deprecated = _deprecated(settings.__doc__)
    hints = _hints(settings)
    return {
        field.name: hints.get(field.name, Any)
        for field in dataclasses.fields(settings)
        if field.init and field.name not in deprecated and not field.name.startswith("_")
    }


def _hints(of: Any) -> dict[str, Any]:
    """The types of a constructor's parameters or a class's fields, as far as they can be told."""
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


def _deprecated(doc: str | None) -> set[str]:
    """The parameters that a docstring calls deprecated."""
    return {match[1] for match in _DEPRECATED.finditer(doc or "") if re.search(r"\.\. deprecated::|^\s*Deprecated\b", match[2])}
