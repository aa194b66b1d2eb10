"""The flow that ships, where ai.webhook_url is set: from the wish to the number, the answer and the agent, in two languages."""

import json
from typing import Any

import pytest
from exotel_ws.ai.embedded.models import example_flow
from exotel_ws.ai.keypad import KEYS
from exotel_ws.ai.scripted import flow
from exotel_ws.ai.scripted.script import Answer, Script

FLOW = flow.load(example_flow())
SCRIPT = Script(FLOW)


def talk(*turns: str | dict[str, Any], language: str = "en", webhook: bool = True) -> list[Answer]:
    """Return the answers to what a caller says or presses; a mapping is what the webhook told."""
    messages: list[dict[str, Any]] = [{"role": "assistant", "content": FLOW.greeting_in(language)}]
    answers = []
    for turn in turns:
        said = isinstance(turn, str)
        messages.append({"role": "user" if said else "tool", "content": turn if said else json.dumps(turn)})
        answers.append(SCRIPT.answer(messages, language, offered=("webhook",) if webhook else ()))
        messages.append({"role": "assistant", "content": answers[-1].say})
    return answers


@pytest.mark.parametrize(
    ("language", "turns", "said"),
    [
        ("en", ["Where's my order?", "It's four eight to one.", "Yes, that's right."], "4, 8, 2, 1. Is that right?"),
        ("en", ["My parcel has not arrived", f"{KEYS}4821", f"{KEYS}1"], "4, 8, 2, 1. Is that right?"),
        ("hi", ["मेरा ऑर्डर कहाँ है", "चार आठ दो एक", "जी हाँ"], "4, 8, 2, 1। क्या यह सही है?"),
        ("hi-IN", ["mera order kahan hai", "chaar aath do ek", "haan ji"], "4, 8, 2, 1। क्या यह सही है?"),
    ],
)
def test_an_order_is_looked_up_and_an_agent_is_offered(language: str, turns: list[str], said: str) -> None:
    answers = talk(*turns, {"status": "shipped"}, "हाँ" if language.startswith("hi") else "yes", language=language)
    assert answers[1].say == said
    assert answers[2].tool == "webhook"
    assert answers[2].arguments["data"]["order"] == "4821"
    assert "shipped" in answers[3].say
    assert answers[4].tool == "transfer"


def test_where_the_system_does_not_answer_an_agent_is_offered_all_the_same() -> None:
    answers = talk("Where is my order?", "4821", "yes", {"error": "HTTP 500"}, "yes")
    assert "agent" in answers[3].say
    assert answers[4].tool == "transfer"


def test_without_a_webhook_nobody_is_asked_for_a_number() -> None:
    assert "on its way" in talk("Where is my order?", webhook=False)[0].say
