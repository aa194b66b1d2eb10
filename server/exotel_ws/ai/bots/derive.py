"""Derive the settings of each bot from those of all, and judge them."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from exotel_ws.ai import sayable
from exotel_ws.ai.bots import routing
from exotel_ws.ai.bots.routing import DEFAULT
from exotel_ws.ai.embedded.models import example_flow
from exotel_ws.ai.providers import supply
from exotel_ws.ai.providers.plan import EMBEDDED
from exotel_ws.ai.scripted import flow
from exotel_ws.ai.scripted.flow import Flow
from exotel_ws.ai.settings import Ai, Bot, Service
from exotel_ws.settings import SettingsError


class Loaded(NamedTuple):
    """Flow of each bot, and the credentials that were not looked for."""

    flows: dict[str, Flow]
    unread: list[str]


def settings_of(settings: Ai, bot: Bot) -> Ai:
    """Return ``settings`` with what ``bot`` says in their place.

    A flow brings its greeting, and a voice service its voice: those of ``[ai]`` belong to other ones. Language and voice of a bot
    go before those in the tables of its services.
    """
    tts = bot.tts or settings.tts
    services = dict(settings.services)
    if bot.language:
        services = {name: replace(table, language=bot.language if table.language else "") for name, table in services.items()}
    if bot.voice and tts[0] != EMBEDDED:
        services[tts[0]] = replace(services.get(tts[0], Service()), voice=bot.voice)
    return replace(
        settings,
        flow=bot.flow or settings.flow,
        prompt=bot.prompt or settings.prompt,
        greeting=bot.greeting or ("" if bot.flow else settings.greeting),
        language=bot.language or settings.language,
        voice=bot.voice or ("" if bot.tts else settings.voice),
        stt=bot.stt or settings.stt,
        llm=bot.llm or settings.llm,
        tts=tts,
        services=services,
        bots={},
    )


def of_each(settings: Ai) -> dict[str, Ai]:
    """Return the settings of each bot by its name. The first is `DEFAULT`, with ``settings`` themselves."""
    return {DEFAULT: settings} | {name: settings_of(settings, bot) for name, bot in settings.bots.items()}


def load(settings: Ai, paths: list[str], *, read_keys: bool = True) -> Loaded:
    """Read the flows, and check all that bots need, without loading a model. ``paths`` are those that the server serves.

    Raises `SettingsError` with the problems of all bots; one that is of all is told once. ``read_keys``: see `supply.check`.
    """
    problems = routing.problems(settings.bots, paths)
    read: dict[str, Flow | list[str]] = {}
    flows: dict[str, Flow] = {}
    unread: list[str] = []
    of_all: list[str] = []
    for name, own in of_each(settings).items():
        found = []
        try:
            unread += supply.check(services_of(own, name), read_keys=read_keys)
        except SettingsError as error:
            found += error.problems
        if own.flow not in read:
            read[own.flow] = _flow(own.flow, settings.tools)
        if isinstance(its := read[own.flow], list):
            found += its
        else:
            flows[name] = its
            found += sayable.problems(own, its) if not found else []
        if name == DEFAULT:
            of_all = found
        problems += found if name == DEFAULT else [f"ai.bots.{name}: {problem}" for problem in found if problem not in of_all]
    if problems:
        raise SettingsError(problems)
    return Loaded(flows, list(dict.fromkeys(unread)))


def services_of(settings: Ai, name: str) -> Ai:
    """Return ``settings`` for the services of a bot, without what is judged once for all of them."""
    return settings if name == DEFAULT else replace(settings, start_url="", start_credential="", webhook_url="", tools={})


def _flow(path: str, tools: Collection[str]) -> Flow | list[str]:
    try:
        return flow.load(Path(path) if path else example_flow(), tools)
    except flow.FlowError as error:
        return [f"ai.flow: {problem}" for problem in error.problems]
