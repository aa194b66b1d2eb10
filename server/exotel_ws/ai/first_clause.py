"""Give the voice the first clause of an answer while the model still writes its sentence: the caller hears it sooner."""

import re
from collections.abc import AsyncIterator
from typing import Final

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.tts_service import TTSService
from pipecat.utils.text.base_text_aggregator import Aggregation, TextType
from pipecat.utils.text.simple_text_aggregator import SimpleTextAggregator

_LEAST: Final = 4
"""Least words of a clause: fewer are over before more has been made."""
_ENDS: Final = re.compile(r"[,;:](?=\s+\S)|[—–](?=\s*\S)|(?<=\S)\s+(?=(?:and|but|और|लेकिन)\s)")


class FirstClause(SimpleTextAggregator):
    """Cut each answer into sentences, and the first of them after its first clause, if that comes before its end.

    An answer that comes in one piece, as a scripted flow's does, is cut into sentences only: nothing of it is waited for.
    """

    def __init__(self, language: str | None = None) -> None:
        super().__init__(language=language)  # type: ignore[no-untyped-call]
        self._first = True
        """True until the first part of an answer is out. `_pieces` have come of it."""
        self._pieces = 0

    async def aggregate(self, text: str) -> AsyncIterator[Aggregation]:
        self._pieces += 1
        async for sentence in super().aggregate(text):
            self._first = False
            yield sentence
        if self._first and self._pieces > 1 and (end := _first_clause(self._text)):
            self._first = False
            clause, self._text = self._text[:end], self._text[end:]
            yield Aggregation(text=clause.strip(" "), type=TextType.SENTENCE)

    async def flush(self) -> Aggregation | None:
        self._begin()
        return await super().flush()

    async def handle_interruption(self) -> None:
        self._begin()
        await super().handle_interruption()  # type: ignore[no-untyped-call]

    def _begin(self) -> None:
        self._first, self._pieces = True, 0


def begin_with_a_clause(service: FrameProcessor) -> None:
    """Let a voice begin with the first clause of each answer, unless it takes words as they come, or cuts by rules of its own."""
    if not isinstance(service, TTSService):
        return
    usual = service._text_aggregator
    if type(usual) is SimpleTextAggregator and usual.aggregation_type is TextType.SENTENCE:
        service._text_aggregator = FirstClause(usual.language)


def _first_clause(text: str) -> int:
    """Return the length of the first clause of ``text`` that has enough words; 0 if there is none yet."""
    ends = (found.end() for found in _ENDS.finditer(text))
    return next((end for end in ends if len(text[:end].split()) >= _LEAST), 0)
