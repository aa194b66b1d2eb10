"""Check that the embedded voice can say what the settings give it to say."""

from collections.abc import Iterator
from typing import Final

from exotel_ws.ai.embedded.speakable import sayable
from exotel_ws.ai.scripted.flow import Flow, Lines, Text, lines
from exotel_ws.ai.settings import Ai

_EMBEDDED: Final = "embedded"
_MOST: Final = 40
"""Most characters of a text that are shown."""


def problems(settings: Ai, flow: Flow) -> list[str]:
    """Return the first text of ``settings`` and ``flow`` that a call would not hear; none if another voice is the first.

    A call of any language that such a voice has is answered in ``ai.language``, so its texts in other languages do not count.
    """
    if settings.tts[0] != _EMBEDDED:
        return []
    own = lines(settings.greeting, settings.language)
    told: list[tuple[str, Text | Lines]] = [("ai.greeting", own)] if any(own) else [("ai.flow: greeting", flow.greeting)]
    told += [
        ("ai.outbound.message", settings.outbound.message),
        ("ai.goodbye", settings.goodbye),
        ("ai.transferring", settings.transferring),
        ("ai.time_up", settings.time_up),
        ("ai.silence.prompts", settings.silence.prompts),
        ("ai.silence.goodbye", settings.silence.goodbye),
        *((f"ai.tools.{name}.saying", tool.saying) for name, tool in settings.tools.items()),
    ]
    if _EMBEDDED in settings.llm:
        told += _of_flow(flow)
    for where, said in told:
        for text in lines(said, settings.language) if said else ():
            if not sayable(text):
                cure = 'give it in English, too, or put another voice first, for example tts = ["sarvam"]'
                return [f'{where}: the embedded voice is for English only and can\'t say "{text[:_MOST]}": {cure}']
    return []


def _of_flow(flow: Flow) -> Iterator[tuple[str, Lines]]:
    yield from ((f"ai.flow: fallback[{i}]", reply.say) for i, reply in enumerate(flow.fallback, 1))
    for name, intent in flow.intents.items():
        yield f"ai.flow: intents.{name}", intent.say
        yield f"ai.flow: intents.{name}.answer", intent.answer
        yield f"ai.flow: intents.{name}.otherwise", intent.otherwise
    for name, slot in flow.slots.items():
        for key, said in (("ask", slot.ask), ("again", slot.again), ("read_back", slot.read_back)):
            yield f"ai.flow: slots.{name}.{key}", said
