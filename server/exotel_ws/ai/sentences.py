"""Choose the fixed sentences of a call by its language."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from exotel_ws.ai.scripted.flow import lines
from exotel_ws.ai.settings import Ai, Lines, Text

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class Sentences(NamedTuple):
    """Fixed sentences of one language. Each is what the setting of its name says.

    ``silent`` is the goodbye after silence; ``message`` is left to a machine.
    """

    prompts: tuple[str, ...]
    silent: str
    noisy: str
    noisy_goodbye: str
    fillers: tuple[str, ...]
    not_heard: str
    apology: str
    too_fast: str
    too_long: str
    enough: str
    goodbye: str
    transferring: str
    time_up: str
    message: str


def sentences(settings: Ai, language: str = "") -> Sentences:
    """Return the sentences for a call in ``language``; empty: ``ai.language``. Each is chosen as `lines` does."""
    language = language or settings.language

    def one(text: Text) -> str:
        return lines(text, language)[0]

    silence, failure, limits = settings.silence, settings.failure, settings.limits
    return Sentences(
        prompts=tuple(lines(silence.prompts, language)),
        silent=one(silence.goodbye),
        noisy=one(silence.noisy),
        noisy_goodbye=one(silence.noisy_goodbye),
        fillers=tuple(lines(failure.fillers, language)),
        not_heard=one(failure.not_heard),
        apology=one(failure.apology),
        too_fast=one(limits.too_fast),
        too_long=one(limits.too_long),
        enough=one(limits.enough),
        goodbye=one(settings.goodbye),
        transferring=one(settings.transferring),
        time_up=one(settings.time_up),
        message=one(settings.outbound.message),
    )


USUAL: Final = sentences(Ai(), "en")
"""Sentences that ship, in English: what is said where those of the settings can't be."""


def is_english(language: str) -> bool:
    """Return True if ``language`` is one that the embedded voice and recogniser have: English, of any country."""
    return language.partition("-")[0].lower() == "en"


def problems(settings: Ai) -> list[str]:
    """Return what is wrong with the texts of ``settings`` that may differ by language."""
    return [problem for where, said in _told(settings) if isinstance(said, dict) for problem in _judged(where, said)]


def _told(settings: Ai) -> Iterator[tuple[str, Text | Lines]]:
    for name in ("greeting", "goodbye", "transferring", "time_up"):
        yield f"ai.{name}", getattr(settings, name)
    for table, names in (
        ("silence", ("prompts", "goodbye", "noisy", "noisy_goodbye")),
        ("failure", ("fillers", "not_heard", "apology")),
        ("limits", ("too_fast", "too_long", "enough")),
        ("outbound", ("message",)),
    ):
        yield from ((f"ai.{table}.{name}", getattr(getattr(settings, table), name)) for name in names)


def _judged(where: str, said: dict[str, Any]) -> Iterator[str]:
    if not said:
        yield f'{where}: has no text: it is one, or one for each language: {{en = "…", hi = "…"}}'
    for tag in said:
        if not _LANGUAGE.fullmatch(tag):
            yield f'{where}: "{tag}" is no language: it is written as en, hi or hi-IN'
