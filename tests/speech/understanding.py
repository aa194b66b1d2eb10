"""Understanding of speech by the shipped flow."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from exotel_ws.ai.embedded.models import Recogniser, Speaker, example_flow
from exotel_ws.ai.scripted import flow, script

from .telephone import said

FLOW: Final = flow.load(example_flow())
FINAL: Final = frozenset(name for name, intent in FLOW.intents.items() if intent.then)
"""Intents that end the call: the worst mistakes."""
PARTING: Final = frozenset({"no", "goodbye"})
"""Intents that say goodbye: one for the other is no harm."""


NO_ANSWER: Final = frozenset({"something_else", "options", "repeat"})
"""Intents that only say what the bot knows, or say the last again: they answer a sentence of any other matter."""


def read() -> Callable[[str], str | None]:
    """Return a function from a sentence, as it is written, to the intent."""
    return script.examples(FLOW, Speaker().sounds).closest


def understanding() -> Callable[[str, str], str | None]:
    """Return a function from a sentence and a voice to the intent."""
    recogniser = Recogniser()
    examples = script.examples(FLOW, Speaker().sounds)
    return lambda text, voice: examples.closest(recogniser.recognise(said(text, voice)))


def judged(meant: str | None, taken: str | None) -> str:
    """Return ``right``, ``not understood``, ``wrong``, or ``wrong and final``."""
    if meant == taken or {meant, taken} <= PARTING or (meant is None and taken in NO_ANSWER):
        return "right"
    if taken is None:
        return "not understood"
    return "wrong and final" if taken in FINAL else "wrong"


def counted(
    understand: Callable[[str, str], str | None], sentences: dict[str, list[str]], unrelated: Iterable[str], voice: str
) -> tuple[Counter[str], Counter[str]]:
    """Count judgements of sentences that mean an intent, and of those that mean none."""
    meant = Counter(judged(name, understand(text, voice)) for name, some in sentences.items() for text in some)
    return meant, Counter(judged(None, understand(text, voice)) for text in unrelated)
