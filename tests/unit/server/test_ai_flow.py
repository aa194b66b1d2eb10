"""The file of a scripted flow: its language, and plain words for each mistake in it."""

import os
from pathlib import Path

import pytest
from exotel_ws.ai import text_file
from exotel_ws.ai.embedded.models import example_flow
from exotel_ws.ai.scripted import flow
from exotel_ws.ai.scripted.flow import FlowError

HEAD = """\
greeting: Hello.
fallback: [Sorry.]
intents:
"""
AGENT = """\
  agent:
    examples: [agent]
    say: Please hold.
"""


def problems(text: str) -> list[str]:
    with pytest.raises(FlowError) as raised:
        flow.parse(text, "f.yml")
    return raised.value.problems


def test_the_example_that_ships_is_a_flow() -> None:
    shipped = flow.load(example_flow())

    assert set(shipped.intents) >= {"opening_hours", "order_status", "agent", "yes", "no", "goodbye", "repeat"}
    assert shipped.intents["agent"].then == "transfer"
    assert shipped.intents["no"].then == shipped.intents["goodbye"].then == "hang_up"


def test_the_flow_in_the_docs_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "flows.md").read_text("utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]

    assert set(flow.parse(example).intents) >= {"agent", "balance", "repeat"}


def test_what_yaml_would_make_a_truth_or_a_number_of_is_what_callers_say() -> None:
    read = flow.parse(HEAD + "  yes:\n    examples: [yes, on, 12:30, 1.0]\n    dtmf: 0\n    say: no\n")

    assert read.intents["yes"].examples == ["yes", "on", "12:30", "1.0"]
    assert read.intents["yes"].dtmf == "0"
    assert read.intents["yes"].say == "no"


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Hello."), ("hi", "नमस्ते।"), ("hi-IN", "नमस्ते।"), ("HI", "नमस्ते।"), ("ta", "Hello."), ("", "Hello.")],
)
def test_a_text_in_the_language_of_the_call_or_in_the_first_there_is(language: str, text: str) -> None:
    said = {"en": "Hello.", "hi": "नमस्ते।"}

    assert flow.lines(said, language) == [text]


def test_a_flow_in_languages_says_which() -> None:
    read = flow.parse("greeting: {en: Hello., hi: नमस्ते।}\n" + HEAD.partition("\n")[2] + AGENT)

    assert read.languages() == ["en", "hi"]
    assert read.greeting_in("hi-IN") == "नमस्ते।"


PROBLEMS = {
    "unknown key": (
        HEAD + AGENT + "    exmples: [x]\n",
        'f.yml:7: intents.agent.exmples: unknown key (did you mean "examples"?)',
    ),
    "unknown key at the top": ("greting: Hello.\n" + HEAD + AGENT, 'f.yml:1: greting: unknown key (did you mean "greeting"?)'),
    "unknown key of a fallback": (
        HEAD.replace("[Sorry.]", "\n  - say: Sorry.\n    thn: hang_up") + AGENT,
        'f.yml:4: fallback[1].thn: unknown key (did you mean "then"?)',
    ),
    "an intent twice": (HEAD + AGENT + AGENT, "f.yml:4: intents.agent: is there a second time, in line 7"),
    "an example twice": (
        HEAD + AGENT + "  human:\n    examples: [human, Agent!]\n    say: Hi.\n",
        'f.yml:8: intents.human.examples[2]: "Agent!" is an example of agent too, which is meant?',
    ),
    "a key twice": (
        HEAD + AGENT + "    dtmf: 1\n  human:\n    examples: [human]\n    dtmf: 1\n    say: Hi.\n",
        'f.yml:10: intents.human.dtmf: "1" is the key of agent already',
    ),
    "no key": (
        HEAD + AGENT + "    dtmf: 1#\n",
        'f.yml:4: intents.agent: dtmf: "1#" can\'t be pressed: up to 32 of 0-9 and *, or # alone, which ends a number',
    ),
    "one word alike": (
        HEAD + AGENT + "alike: [[agent]]\n",
        "f.yml:7: alike[1]: needs at least two words that mean the same",
    ),
    "a word in two lists": (
        HEAD + AGENT + "alike:\n  - [agent, manager]\n  - [boss, Manager!]\n",
        'f.yml:9: alike[2][2]: "Manager!" is in list 1 too, which is meant?',
    ),
    "a word alike that is none": (
        HEAD + AGENT + "alike: [[agent, '?!']]\n",
        'f.yml:7: alike[1][2]: "?!" has no word in it',
    ),
    "examples that alike makes one": (
        HEAD + AGENT + "  human:\n    examples: [human]\n    say: Hi.\nalike: [[agent, human]]\n",
        'f.yml:8: intents.human.examples[1]: "human" is an example of agent too, which is meant?',
    ),
    "an empty text": (HEAD + AGENT.replace("Please hold.", '" "'), "f.yml:6: intents.agent.say: an empty text can't be said"),
    "an empty list": (HEAD + AGENT.replace("Please hold.", "[]"), "f.yml:4: intents.agent: needs say, or repeat: true"),
    "an empty line": (HEAD + AGENT.replace("Please hold.", '[a, ""]'), "f.yml:6: intents.agent.say: an empty text can't be said"),
    "an empty example": (HEAD + AGENT.replace("[agent]", "['']"), "f.yml:5: intents.agent.examples: an empty text can't be said"),
    "an example without a word": (
        HEAD + AGENT.replace("[agent]", "['?!']"),
        'f.yml:5: intents.agent.examples[1]: "?!" has no word in it',
    ),
    "an empty greeting": (HEAD.replace("Hello.", "''") + AGENT, "f.yml:1: greeting: an empty text can't be said"),
    "no greeting": (HEAD.replace("greeting: Hello.\n", "") + AGENT, "f.yml:1: needs greeting: what every caller hears first"),
    "an end without a word": (
        HEAD + AGENT.replace("say: Please hold.", "then: transfer"),
        "f.yml:4: intents.agent: needs say, or repeat: true: what is heard before transfer",
    ),
    "an unknown end": (
        HEAD + AGENT + "    then: hangup\n",
        "f.yml:7: intents.agent.then: Invalid enum value 'hangup' (it can be: hang_up, transfer)",
    ),
    "repeat and say": (
        HEAD + AGENT + "    repeat: true\n",
        "f.yml:4: intents.agent: repeat: true says the last again: say, then, next, needs, tool and webhook have no place here",
    ),
    "a webhook that may say nothing": (
        HEAD + AGENT + "    webhook: true\n",
        "f.yml:4: intents.agent: webhook: true needs otherwise: what is said where the webhook fails, or answers nothing to say",
    ),
    "no webhook": (
        HEAD + AGENT + "    otherwise: Sorry.\n",
        "f.yml:4: intents.agent: otherwise and answer are said of what a webhook or a tool told: they need webhook: true or tool",
    ),
    "no way there": (
        HEAD + "  agent:\n    say: Hi.\n",
        "f.yml:4: intents.agent: can't be reached: it needs examples, dtmf, or a next that leads to it",
    ),
    "an unknown next": (
        HEAD + AGENT + "    next: {agent: agnt}\n",
        'f.yml:7: intents.agent.next.agent: no intent "agnt" (did you mean "agent"?)',
    ),
    "a next after the end": (
        HEAD + AGENT + "    then: hang_up\n    next: {agent: agent}\n",
        "f.yml:8: intents.agent.next: nothing comes next: the call ends by then: hang_up",
    ),
    "a language that is missing": (
        HEAD.replace("Hello.", "{en: Hello., hi: नमस्ते।}") + AGENT.replace("Please hold.", "{en: Please hold.}"),
        "f.yml:6: intents.agent.say: is not there in hi, which other texts of this flow are in",
    ),
    "no language": (
        HEAD.replace("Hello.", "{text: Hello.}") + AGENT,
        "f.yml:1: greeting.text: is no language (like en, hi or hi-IN)",
    ),
    "a kind": (HEAD + AGENT.replace("[agent]", "agent"), "f.yml:5: intents.agent.examples: Expected `array`, got `str`"),
    "no intents": (HEAD, "f.yml:3: intents: Expected `object`, got `null`"),
    "a list": ("- a\n", "f.yml:1: needs greeting, fallback and intents"),
    "nothing": ("", "f.yml:1: needs greeting, fallback and intents"),
    "no YAML": (
        HEAD + AGENT.replace("[agent]", "[agent?]"),
        "f.yml:5: not YAML: expected ',' or ']', but got '?' (a text with one of : ? , # [ ] { } in it needs quotes)",
    ),
    "a key that is a list": (HEAD + AGENT + "? [a, b]\n: c\n", "f.yml:1: the key in line 7 has to be a text"),
    "more brackets than any flow has": ("greeting: " + "[" * 5000, "f.yml: lists or mappings are nested too deep"),
    "half a character": (
        HEAD + AGENT.replace("Please hold.", '"\\ud83d"'),
        "f.yml:6: not YAML: half a character: write the whole one itself (a text with one of : ? , # [ ] { } in it needs quotes)",
    ),
    "control characters": (
        HEAD + AGENT + '    "\\e[31m": x\n',
        "f.yml:7: intents.agent.\\x1b[31m: unknown key (known: say, then, next, examples, dtmf, where_set, needs, "
        "webhook, tool, arguments, answer, otherwise, repeat)",
    ),
    "nothing but an alias": (
        "*a",
        "f.yml:1: not YAML: aliases (*name) have no place here (a text with one of : ? , # [ ] { } in it needs quotes)",
    ),
    "an alias": (
        HEAD + "  agent: &a\n    next: *a\n",
        "f.yml:5: not YAML: aliases (*name) have no place here (a text with one of : ? , # [ ] { } in it needs quotes)",
    ),
}


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_wrong_is_told_with_its_line(text: str, problem: str) -> None:
    assert problem in problems(text)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = HEAD + "  a:\n    examples: [x]\n    then: hang_up\n  b:\n    examples: [x]\n    say: ' '\n"

    assert [line.split(": ")[1] for line in problems(text)] == ["intents.b.say", "intents.a", "intents.b.examples[1]"]


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.yml").write_bytes(b"greeting: \xff")

    with pytest.raises(FlowError, match=r"none\.yml: can't be read: No such file"):
        flow.load(tmp_path / "none.yml")
    with pytest.raises(FlowError, match=r"binary\.yml: not UTF-8"):
        flow.load(tmp_path / "binary.yml")
    with pytest.raises(FlowError, match=r"a\\x00b: can't be read: it is no name of a file"):
        flow.load(tmp_path / "a\0b")


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (text_file.MOST_BYTES + 1))
    (tmp_path / "largest").write_bytes(b"#" * text_file.MOST_BYTES)

    for name in ("/dev/zero", "pipe", ""):
        with pytest.raises(FlowError, match="can't be read: it is no regular file"):
            flow.load(tmp_path / name)
    with pytest.raises(FlowError, match="large: can't be used: it has more than 1048576 bytes"):
        flow.load(tmp_path / "large")
    with pytest.raises(FlowError, match="largest:1: needs greeting"):
        flow.load(tmp_path / "largest")
