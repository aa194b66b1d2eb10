"""Find for each name in the settings the service and its arguments, or all that is wrong with them."""

import difflib
import re
from collections import Counter, defaultdict
from typing import Any, Final, NamedTuple

import msgspec
from pipecat.transcriptions.language import Language
from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from exotel_ws.ai.providers import catalogue, keys
from exotel_ws.ai.providers.address import is_one_word, leads_to_a_host
from exotel_ws.ai.providers.catalogue import STAGES, Stage, Takes
from exotel_ws.ai.providers.presets import EXTRAS, PRESETS, Preset
from exotel_ws.ai.settings import Ai, Service

EMBEDDED: Final = "embedded"

_KEYS: Final = ("credentials", "api_key", "aws_secret_key", "secret_access_key")
"""Parameters that are a key; the first that a service has is given it."""
_ADDRESSES: Final = (
    *("endpoint", "private_endpoint", "base_url", "url"),
    *("ws_url", "websocket_url", "server", "api_endpoint_base_url"),
)
"""Parameters that ``base_url`` may mean; the first that a service has."""
_SCHEMES: Final = ("http", "https", "ws", "wss", "")
"""Schemes of such an address; empty: some services want a host alone."""
_OURS: Final = frozenset({"settings", "params", "aiohttp_session", "http_client", "name", "task_manager"})
"""Parameters that no option sets."""
_KEYLESS: Final = "none"
"""Key given to a service that has none: without one, its SDK would look for a key elsewhere."""


class Planned(NamedTuple):
    """One service, as it is made for each call."""

    name: str
    service: Any
    takes: Takes
    parameters: dict[str, Any]
    settings: dict[str, Any]
    key_parameter: str
    key: keys.Key | None

    @property
    def remote(self) -> bool:
        """Return True if the service is reached over the network; any other loads a model when it is made."""
        return bool({*_KEYS, *_ADDRESSES} & self.takes.parameters.keys())

    @property
    def complete(self) -> bool:
        """Return False if the service can't be made for want of Google's credentials, which were not looked for."""
        return self.key is not None or self.key_parameter != "credentials"

    @property
    def wants_session(self) -> bool:
        """Return True if the service has to be given an HTTP session."""
        return "aiohttp_session" in self.takes.required

    def make(self, session: Any = None, **told: Any) -> Any:
        """Make a new service. ``told`` takes precedence over the settings, as far as the service has such a setting."""
        parameters = dict(self.parameters)
        settings = self.settings | {name: value for name, value in told.items() if value and name in self.takes.settings}
        if self.key_parameter:
            parameters[self.key_parameter] = self.key.text if self.key else _KEYLESS
        if self.wants_session:
            parameters["aiohttp_session"] = session
        if settings:
            parameters["settings"] = self.service.Settings(**settings)
        return self.service(**parameters)


class Plan(NamedTuple):
    """Services that the settings ask for.

    ``services`` has those of each stage in failover order, None for the embedded one. They can be used if there are no
    ``problems``. ``unread`` names credentials that were not looked for.
    """

    services: dict[Stage, list[Planned | None]]
    problems: list[str]
    unread: list[str]


def plan(settings: Ai, *, read_keys: bool = True) -> Plan:
    """Plan the services that ``settings`` ask for. Without ``read_keys``, list credentials by name as unread."""
    planner = _Planner(settings, read_keys)
    services = {stage: planner.stage(stage) for stage in STAGES}
    planner.judge_refused()
    planner.judge_languages()
    return Plan(services, list(dict.fromkeys(planner.problems)), list(dict.fromkeys(planner.unread)))


def as_language(text: str) -> Any:
    """Return pipecat's name of a language, which each service translates into its own; an unknown one as it is."""
    try:
        return Language(text)
    except ValueError:
        return text


class _Planner:
    """Collect the plan of all stages, and its problems."""

    def __init__(self, settings: Ai, read_keys: bool) -> None:
        self.settings = settings
        self.read_keys = read_keys
        self.problems: list[str] = []
        self.unread: list[str] = []
        self.refused: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """By table and setting, the reasons of the services that do not take it."""
        self._used: Counter[str] = Counter()

    def stage(self, stage: Stage) -> list[Planned | None]:
        names = {"stt": self.settings.stt, "llm": self.settings.llm, "tts": self.settings.tts}[stage]
        language = self.settings.language
        if stage != "llm" and names[0] == EMBEDDED and not language.lower().startswith("en"):
            self.problems.append(
                f'ai.{stage}: "{EMBEDDED}" is for English only, and ai.language is "{language}": '
                f'put another first, for example {stage} = ["sarvam", "{EMBEDDED}"]'
            )
        planned: list[Planned | None] = []
        for name in names:
            found = None if name == EMBEDDED else self._named(stage, name)
            if name == EMBEDDED or found:
                planned.append(found)
        return planned

    def judge_refused(self) -> None:
        """Report what no service of a table takes; a table may serve two stages, and one of them is enough."""
        for (table, setting), reasons in self.refused.items():
            if len(reasons) == self._used[table]:
                self.problem(table, f"{setting}: {'; '.join(reasons)}")

    def judge_languages(self) -> None:
        services = self.settings.services.items()
        told = {"ai": self.settings.language} | {f"ai.services.{name}": table.language for name, table in services}
        for where, language in told.items():
            if not is_one_word(language):
                self.problems.append(f"{where}.language: is no language: it is written as en, hi or hi-IN")

    def problem(self, name: str, text: str) -> None:
        self.problems.append(f"ai.services.{name}: {text}")

    def _named(self, stage: Stage, name: str) -> Planned | None:
        self._used[name] += 1
        table = self.settings.services.get(name, Service())
        use = table.use or name
        preset = PRESETS.get(use, {}).get(stage)
        service = self._find(stage, name, preset.service if preset else use)
        if service is None:
            return None
        takes = catalogue.takes(service)
        return _Making(self, name, table, preset or Preset(use, _credential(use, takes)), service, takes).planned()

    def _find(self, stage: Stage, name: str, wanted: str) -> type | None:
        package, _, class_name = wanted.partition(":")
        if package not in catalogue.names(stage):
            self.problems.append(f'ai.{stage}: unknown service "{wanted}" ({self._alternatives(stage, wanted)})')
            return None
        try:
            classes = catalogue.classes(stage, package, class_name)
        except catalogue.NoSdk as missing:
            self.problem(name, _not_installed(package, missing.package))
            return None
        if class_name and class_name not in classes:
            self.problems.append(f'ai.{stage}: "{package}" has no {class_name}; it has: {", ".join(classes)}')
            return None
        if not class_name and len(classes) > 1:
            choice = ", ".join(f'"{package}:{one}"' for one in classes)
            self.problems.append(f'ai.{stage}: "{package}" has several services, say which: {choice}')
            return None
        service = classes[class_name or next(iter(classes))]
        if catalogue.hears_itself(service):
            self.problems.append(f'ai.{stage}: "{wanted}" hears the caller by itself: it has no place between an stt and a tts')
            return None
        return service

    def _alternatives(self, stage: Stage, wanted: str) -> str:
        presets = [name for name, stages in PRESETS.items() if stage in stages]
        known = list(dict.fromkeys([EMBEDDED, *self.settings.services, *presets, *catalogue.names(stage)]))
        known = [name for name in known if name != wanted]
        near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
        others = [other for other in STAGES if wanted.partition(":")[0] in catalogue.names(other)]
        hint = f"it does {' and '.join(others)}; " if others else f'did you mean "{near[0]}"? ' if near else ""
        return f"{hint}{stage} can be: {', '.join(known)}"


class _Making:
    """Collect the arguments of one service from its table and its preset."""

    def __init__(self, planner: _Planner, name: str, table: Service, preset: Preset, service: type, takes: Takes) -> None:
        self._planner = planner
        self._name = name
        self._table = table
        self._preset = preset
        self._service = service
        self._takes = takes
        self._parameters: dict[str, Any] = {}
        self._settings: dict[str, Any] = {}

    def planned(self) -> Planned:
        table, preset = self._table, self._preset
        self._set("model", table.model or preset.model)
        self._set("voice", table.voice)
        self._set("language", as_language(table.language))
        self._address(table.base_url or preset.base_url)
        for option, value in (dict(preset.options) | table.options).items():
            self._option(option, value)
        self._needs()
        parameter = next((one for one in _KEYS if one in self._takes.parameters), "")
        if table.credential and not parameter:
            self._refuse("credential", "takes no key")
        key = self._key() if parameter else None
        return Planned(self._name, self._service, self._takes, self._parameters, self._settings, parameter, key)

    def _set(self, setting: str, value: Any) -> None:
        if value and setting in self._takes.settings:
            self._settings[setting] = value
        elif value:
            self._refuse(setting, f"has no {setting}")

    def _address(self, value: str) -> None:
        address = next((one for one in _ADDRESSES if one in self._takes.parameters), "")
        if value and not leads_to_a_host(value, _SCHEMES):
            self._problem("base_url: is no address: it is written as https://HOST/PATH, wss://HOST/PATH, or a host alone")
        elif value and address:
            self._parameters[address] = value
        elif value:
            self._refuse("base_url", "has no address to set")

    def _option(self, option: str, value: Any) -> None:
        if option in _KEYS:
            self._problem(f"options.{option}: keys come from credentials only: {_line(self._name, 'credential')}")
        elif option in self._takes.parameters and option not in _OURS:
            self._parameters[option] = self._convert(option, self._takes.parameters[option], value)
        elif option in self._takes.settings:
            self._settings[option] = self._convert(option, self._takes.settings[option], value)
        else:
            known = sorted({*self._takes.parameters, *self._takes.settings} - {*_OURS, *_KEYS})
            near = difflib.get_close_matches(option, known, n=1, cutoff=0.6)
            cure = f'did you mean "{near[0]}"?' if near else f"it has: {', '.join(known)}"
            self._refuse(f"options.{option}", f"has no {option} ({cure})")

    def _convert(self, option: str, kind: Any, value: Any) -> Any:
        try:
            return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
        except ValidationError as error:
            self._problem(f"options.{option}: {error.errors()[0]['msg']}")
        except PydanticUserError:  # a type that brings its own configuration
            return TypeAdapter(kind).validate_python(value)
        except PydanticSchemaGenerationError:
            pass  # a type that pydantic can't judge: the service will
        return value

    def _needs(self) -> None:
        given = {name for name, value in msgspec.structs.asdict(self._table).items() if value} | self._table.options.keys()
        needs = list(self._preset.needs)
        for parameter in sorted(self._takes.required - self._parameters.keys() - {"aiohttp_session", *_KEYS}):
            needs.append(("base_url" if parameter in _ADDRESSES else parameter,))
        for either in dict.fromkeys(needs):
            if not given & set(either):
                self._problem("needs " + " or ".join(_line(self._name, one) for one in either))

    def _key(self) -> keys.Key | None:
        credential = self._table.credential
        if not credential and not (self._table.base_url and not self._own_address()):
            credential = self._preset.credential
        if not credential:
            return None
        if not self._planner.read_keys and not credential.startswith("/"):
            self._planner.unread.append(credential)
            return None
        try:
            return keys.read(credential)
        except keys.NoKey as error:
            name = "NAME" if credential.startswith("/") else credential
            there = "Put the file there, or name a credential and add it" if name != credential else "Add"
            self._problem(f'no key: {error}. {there} to the inventory: exotel_ws_ai_keys: {{{name}: "…"}}')
            return None

    def _own_address(self) -> bool:
        """Return True if the provider gives every customer an address of their own.

        To any other address than the provider's, its key goes only if the settings name it.
        """
        return any("base_url" in either for either in self._preset.needs)

    def _problem(self, text: str) -> None:
        self._planner.problem(self._name, text)

    def _refuse(self, setting: str, text: str) -> None:
        self._planner.refused[self._name, setting].append(f"{self._service.__name__} {text}")


def _credential(use: str, takes: Takes) -> str:
    """Return the name of the credential of a service without a preset."""
    return f"{_provider(use)}-{'credentials' if 'credentials' in takes.parameters else 'api-key'}"


def _provider(use: str) -> str:
    return re.split(r"[.:]", use)[0].replace("_", "-")


def _line(name: str, setting: str) -> str:
    """Return the line of the settings file that sets ``setting``."""
    table = name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'
    own = setting in Service.__struct_fields__
    return f"[ai.services.{table}] " + (f'{setting} = "…"' if own else f'options = {{ {setting} = "…" }}')


def _not_installed(package: str, module: str) -> str:
    extra = _provider(package)
    adding = "" if extra in EXTRAS else (
        f'Add {extra} = ["pipecat-ai[{extra}]==1.14.*"] to the extras of pyproject.toml, run scripts/lock --keep. '
    )  # fmt: skip
    return f"the Python package {module} is not installed. {adding}Add to the inventory: exotel_ws_extras: [ai, {extra}]"
