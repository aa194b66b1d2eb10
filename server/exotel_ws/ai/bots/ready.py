"""A bot that is ready for calls: its services, and what it says before a call has any."""

from collections.abc import Mapping
from typing import Final

from pipecat.processors.frame_processor import FrameProcessor

from exotel_ws.ai.assembly import Assembly
from exotel_ws.ai.beforehand import Beforehand
from exotel_ws.ai.embedded.speakable import sayable
from exotel_ws.ai.failure import apology
from exotel_ws.ai.failure.apology import Phrases
from exotel_ws.ai.providers.plan import EMBEDDED
from exotel_ws.ai.providers.supply import Supply
from exotel_ws.ai.scripted.flow import Flow, lines
from exotel_ws.ai.sentences import Sentences, is_english, sentences
from exotel_ws.ai.settings import Ai

_MOST_GREETINGS: Final = 64
"""Greetings that a worker keeps, of all bots: half a megabyte each."""
_MOST_PHRASES: Final = 16
"""Sets of phrases that a worker keeps, of all bots: two megabytes each."""


class ReadyBot:
    """One bot of a worker. Its calls share its services' plan and what was spoken beforehand."""

    def __init__(
        self, name: str, settings: Ai, flow: Flow, supply: Supply, assembly: Assembly, english: Mapping[int, Phrases], bots: int
    ) -> None:
        """``english`` are the phrases in the embedded voice, by sample rate in Hz, which needs nothing that could fail.

        ``bots`` is the number of bots, which share the memory for what is spoken beforehand.
        """
        self.name = name
        self.assembly = assembly
        self.languages = [language for language in supply.languages | dict.fromkeys(flow.languages()) if supply.speaks(language)]
        """Languages that a call may ask for."""
        self.voices = supply.voices
        """Voices that a call may ask for."""
        self._settings = settings
        self._flow = flow
        self._supply = supply
        self._english = english
        self._greetings = Beforehand(
            "The greeting can't be spoken beforehand, each call speaks it again",
            lambda language: [self.greeting_text(language)],
            self._voice,
            max(2, _MOST_GREETINGS // bots),
        )
        self._phrases = Beforehand(
            "Phrases can't be spoken beforehand, a call in trouble hears English ones",
            lambda language: apology.texts(self.sentences(language)),
            self._voice,
            max(1, _MOST_PHRASES // bots),
        )

    async def prepare(self) -> None:
        """Speak beforehand what a call hears that asks for nothing."""
        making = [self._greetings.prepare(), None if is_english(self._settings.language) else self._phrases.prepare()]
        for task in making:
            if task:
                await task

    async def close(self) -> None:
        """Stop speaking beforehand, and close the connections of the services."""
        await self._greetings.close()
        await self._phrases.close()
        await self._supply.close()

    def greeting(self, language: str, voice: str, sample_rate: int) -> bytes:
        """Return the greeting as PCM16 little-endian at ``sample_rate`` Hz; empty if it has to be spoken in the call."""
        return b"".join(self._greetings.get(language, voice, sample_rate))

    def greeting_text(self, language: str) -> str:
        """Return the words of the greeting; an empty ``language`` is the configured one."""
        language = language or self._settings.language
        return lines(self._settings.greeting, language)[0] or self._flow.greeting_in(language)

    def says(self, text: str) -> bool:
        """Return True if the first voice has sounds for ``text``."""
        return self._settings.tts[0] != EMBEDDED or sayable(text)

    def sentences(self, language: str) -> Sentences:
        """Return the fixed sentences of a call in ``language``."""
        return sentences(self._settings, language)

    def phrases(self, language: str, sample_rate: int) -> Phrases:
        """Return what a call in trouble hears, at ``sample_rate`` Hz: in its language if that was possible, else in English."""
        if not is_english(language or self._settings.language):
            asked = "" if language == self._settings.language else language
            if audio := self._phrases.get(asked, "", sample_rate):
                return Phrases.of(self.sentences(language), audio)
        return self._english[sample_rate]

    def _voice(self, language: str, voice: str) -> FrameProcessor:
        return self._supply.tts(language, voice)[0].service
