"""Slots of a flow: values as people say and press them, read back, corrected, and given to a tool."""

import json
from datetime import date
from typing import Any

import pytest
from exotel_ws.ai.keypad import KEYS
from exotel_ws.ai.scripted import flow, numerals, values
from exotel_ws.ai.scripted.script import Answer, Script

TODAY = date(2026, 11, 29)  # a Sunday
FLOW = flow.parse("""
greeting: {en: Hello., hi: नमस्ते।}
fallback:
  - say: {en: "Sorry?", hi: "माफ़ कीजिए?"}
  - say: {en: "Shall I connect you?", hi: "क्या मैं जोड़ूँ?"}
    next: {"yes": agent}
slots:
  order:
    kind: number
    digits: [4, 12]
    ask: {en: "Your order number, please?", hi: "ऑर्डर नंबर बताइए।"}
    again: {en: "Digit by digit, please.", hi: "एक एक अंक बोलिए।"}
    read_back: {en: "{order}. Is that right?", hi: "{order}। क्या यह सही है?"}
  phone:
    kind: phone
    ask: {en: "Your phone number?", hi: "फ़ोन नंबर?"}
    read_back: {en: "{phone}, right?", hi: "{phone}, सही?"}
  day:
    kind: date
    ask: {en: "Which day?", hi: "किस दिन?"}
    read_back: {en: "On {day}?", hi: "{day} को?"}
  paid:
    kind: yes_no
    ask: {en: "Have you paid?", hi: "क्या आपने पैसे दिए?"}
  sum:
    kind: amount
    ask: {en: "How much?", hi: "कितना?"}
    read_back: {en: "{sum} rupees?", hi: "{sum} रुपये?"}
intents:
  status:
    examples: [where is my order, मेरा ऑर्डर कहाँ है]
    needs: [order]
    tool: order_status
    arguments: {number: "{order}", text: "order {order}"}
    say: {en: "I will look up {order}.", hi: "मैं देखता हूँ।"}
    answer: {en: "Order {order} is {status}.", hi: "ऑर्डर {order}: {status}।"}
    otherwise: {en: "I can not see {order}. Shall I connect you?", hi: "दिख नहीं रहा।"}
    next: {"yes": agent}
  pickup:
    examples: [pick up a parcel]
    needs: [phone, day, paid, sum]
    webhook: true
    otherwise: {en: Done., hi: हो गया।}
  hours:
    examples: [when are you open]
    say: {en: From nine., hi: नौ बजे से।}
  agent:
    examples: [an agent, a human]
    dtmf: 0
    say: {en: Connecting., hi: जोड़ रहा हूँ।}
    then: transfer
  "yes":
    examples: ["yes", हाँ]
    say: {en: "What would you like?", hi: "क्या चाहिए?"}
  "no":
    examples: ["no", nothing else]
    say: {en: Goodbye., hi: नमस्ते।}
    then: hang_up
  repeat:
    examples: [say that again]
    repeat: true
""")
HEAD = "greeting: Hello.\nfallback: [Sorry.]\n"
SLOT = 'slots:\n  order:\n    kind: number\n    ask: Which?\n    read_back: "{order}?"\n'
STATUS = "intents:\n  status:\n    examples: [status]\n    needs: [order]\n    say: Fine.\n"
TOOL = "    tool: look\n    otherwise: No.\n"
BOTH = f"    webhook: true\n{TOOL}"
SCRIPT = Script(FLOW, today=lambda: TODAY)


def talk(*turns: str | dict[str, Any], language: str = "en") -> list[Answer]:
    """Return the answers to what a caller says, or presses behind `KEYS`; a mapping is what the tool told."""
    messages: list[dict[str, Any]] = [{"role": "assistant", "content": "Hello."}]
    answers = []
    for turn in turns:
        role = "user" if isinstance(turn, str) else "tool"
        messages.append({"role": role, "content": turn if isinstance(turn, str) else json.dumps(turn)})
        answers.append(SCRIPT.answer(messages, language))
        messages.append({"role": "assistant", "content": answers[-1].say})
    return answers


def said(*turns: str | dict[str, Any], language: str = "en") -> list[str]:
    return [answer.say for answer in talk(*turns, language=language)]


# Numbers as they are said, and as a recogniser writes them


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four eight two one", "4821"),
        ("Four, eight, two, one.", "4821"),
        ("four to one", "421"),
        ("for ate to one", "4821"),
        ("my number is for two one", "421"),
        ("4-8-2-1", "4821"),
        ("48 21", "4821"),
        ("4,821", "4821"),
        ("oh nine eight seven", "0987"),
        ("nine double oh seven", "9007"),
        ("double five triple nine", "55999"),
        ("forty eight twenty one", "4821"),
        ("four thousand eight hundred twenty one", "4821"),
        ("one ten", "110"),
        ("ek do teen", "123"),
        ("do teen char", "234"),
        ("paanch chhe saat aath nau shunya", "567890"),
        ("एक दो तीन", "123"),
        ("चार आठ दो एक", "4821"),
        ("डबल पाँच", "55"),
        ("एक सौ तेईस", "123"),
        ("१२३४", "1234"),
        ("where is my order", ""),
        ("I am waiting for it, too", ""),
        ("4821 for my wife", "4821"),
        ("I am looking for 4821", "4821"),
        ("it is about to arrive", ""),
        ("One line for ate", "1948"),
        ("my order number is to eight famine six", "2876"),
        ("one of mine", "1"),
        ("", ""),
    ],
)
def test_digits_are_heard_however_they_are_said_and_written(text: str, digits: str) -> None:
    assert numerals.digits(text) == digits


def read(kind: values.Kind, text: str) -> str:
    return values.read(kind, text, values.lengths_of(kind, []), TODAY)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("one lakh twenty thousand", "120000"),
        ("₹1,500.50", "1500.5"),
        ("fifteen hundred rupees", "1500"),
        ("1.5 lakh", "150000"),
        ("sadhe teen hazaar", "3500"),
        ("पौने दो लाख", "175000"),
        ("डेढ़ सौ रुपये", "150"),
        ("five hundred, no, six hundred", "600"),
        ("some rupees", ""),
        ("zero", ""),
    ],
)
def test_amounts(text: str, value: str) -> None:
    assert read("amount", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("98765 43210", "9876543210"),
        ("plus nine one 98765 43210", "9876543210"),
        ("zero nine eight seven six five four three two one zero", "9876543210"),
        ("98765", ""),
        ("98765 43210 12", ""),
    ],
)
def test_phone_numbers(text: str, value: str) -> None:
    assert read("phone", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("today", "2026-11-29"),
        ("tomorrow", "2026-11-30"),
        ("day after tomorrow", "2026-12-01"),
        ("kal", "2026-11-30"),
        ("परसों", "2026-12-01"),
        ("on Friday", "2026-12-04"),
        ("Sunday", "2026-12-06"),
        ("5 December", "2026-12-05"),
        ("December the 5th, 2027", "2027-12-05"),
        ("twenty fifth of January", "2027-01-25"),
        ("the fifth of March", "2027-03-05"),
        ("10 October", "2026-10-10"),
        ("five December twenty twenty six", "2026-12-05"),
        ("पाँच दिसंबर", "2026-12-05"),
        ("05/12/2026", "2026-12-05"),
        ("5-12", "2026-12-05"),
        ("2026-12-05", "2026-12-05"),
        ("the 31st of February", ""),
        ("may the 5th", "2027-05-05"),
        ("5 mai", "2027-05-05"),
        ("the fifth of May 2027", "2027-05-05"),
        ("may I come on the 5th", ""),
        ("mai kal aaunga", "2026-11-30"),
        ("soon", ""),
    ],
)
def test_dates(text: str, value: str) -> None:
    assert read("date", text) == value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *((text, True) for text in ("yes", "Yeah, that's right.", "correct", "haan ji", "जी हाँ", "theek hai", "हां")),
        *((text, False) for text in ("no", "that's not right", "wrong", "nahi", "नहीं", "galat hai", "nope")),
        *((text, None) for text in ("maybe", "", "what?", "no, right")),
    ],
)
def test_yes_and_no(text: str, answer: bool | None) -> None:
    assert values.agrees(text) is answer


@pytest.mark.parametrize(
    ("kind", "keys", "value"),
    [
        ("number", "4821", "4821"),
        ("phone", "09876543210", "9876543210"),
        ("date", "0512", "2026-12-05"),
        ("date", "05122027", "2027-12-05"),
        ("date", "3202", ""),
        ("yes_no", "1", "yes"),
        ("yes_no", "2", "no"),
        ("yes_no", "3", ""),
        ("amount", "1500*50", "1500.5"),
        ("amount", "*", ""),
        ("number", "#", ""),
    ],
)
def test_values_by_keys(kind: values.Kind, keys: str, value: str) -> None:
    assert values.pressed(kind, keys, values.lengths_of(kind, []), TODAY) == value


# A dialogue


def test_a_number_is_asked_for_read_back_digit_by_digit_and_given_to_the_tool() -> None:
    answers = talk("where is my order", "four eight two one", "yes", {"status": "shipped"})
    assert [answer.say for answer in answers] == [
        "Your order number, please?",
        "4, 8, 2, 1. Is that right?",
        "I will look up 4, 8, 2, 1.",
        "Order 4, 8, 2, 1 is shipped.",
    ]
    assert [answer.tool for answer in answers] == ["", "", "order_status", ""]
    assert answers[2].arguments == {"number": "4821", "text": "order 4821"}


def test_it_is_all_there_in_hindi() -> None:
    assert said("मेरा ऑर्डर कहाँ है", "चार आठ दो एक", "हाँ", {"status": "रास्ते में"}, language="hi-IN") == [
        "ऑर्डर नंबर बताइए।",
        "4, 8, 2, 1। क्या यह सही है?",
        "मैं देखता हूँ।",
        "ऑर्डर 4, 8, 2, 1: रास्ते में।",
    ]


def test_a_number_that_is_said_with_the_wish_is_not_asked_for_again() -> None:
    assert said("where is my order 4821", "yes")[:2] == ["4, 8, 2, 1. Is that right?", "I will look up 4, 8, 2, 1."]


@pytest.mark.parametrize(
    "correction",
    [
        *("no, 4 5 1 0", "4510", "No. Four five one oh.", "no sorry four five one zero", "नहीं, चार पाँच एक शून्य"),
        f"{KEYS}4510",
    ],
)
def test_what_was_read_back_is_corrected(correction: str) -> None:
    assert said("where is my order", "4821", correction, "yes")[2:] == [
        "4, 5, 1, 0. Is that right?",
        "I will look up 4, 5, 1, 0.",
    ]


@pytest.mark.parametrize("no", ["no", "that's wrong", f"{KEYS}2"])
def test_a_no_asks_for_it_again(no: str) -> None:
    assert said("where is my order", "4821", no, "4510", "yes")[2:] == [
        "Your order number, please?",
        "4, 5, 1, 0. Is that right?",
        "I will look up 4, 5, 1, 0.",
    ]


def test_who_says_no_to_what_was_read_back_again_and_again_is_offered_what_the_flow_offers() -> None:
    answers = talk("where is my order", *["4821", "no"] * 3, "yes")
    assert [(answer.say, answer.tool) for answer in answers[-2:]] == [("Shall I connect you?", ""), ("Connecting.", "transfer")]
    assert said("where is my order", *["4821", "no"] * 2, "4510", "yes")[-1] == "I will look up 4, 5, 1, 0."


def test_a_no_that_is_one_miss_too_many_does_not_end_the_call() -> None:
    assert talk("where is my order", "no", "no", "no")[-1] == talk("where is my order", "hmm", "purple", "I do not know")[-1]


@pytest.mark.parametrize(("given", "confirmed"), [(f"{KEYS}4821", "yes"), ("4821", f"{KEYS}1"), (f"{KEYS}4821", f"{KEYS}1")])
def test_voice_and_keys_may_be_mixed(given: str, confirmed: str) -> None:
    assert said("where is my order", given, confirmed)[1:] == ["4, 8, 2, 1. Is that right?", "I will look up 4, 8, 2, 1."]


def test_a_number_may_come_in_parts_by_voice_and_by_keys() -> None:
    assert said("where is my order", "four eight", "two one")[1:] == ["4, 8…", "4, 8, 2, 1. Is that right?"]
    assert said("where is my order", "four eight", f"{KEYS}21")[2] == "4, 8, 2, 1. Is that right?"
    assert said("where is my order", "four eight", "4821")[2] == "4, 8, 2, 1. Is that right?", "all of it anew is all of it"


def test_what_is_said_last_of_a_number_counts() -> None:
    assert said("where is my order", "4 5 1 1, sorry, 4 5 1 2")[1] == "4, 5, 1, 2. Is that right?"


def test_a_caller_who_gives_no_number_is_asked_thrice_and_then_offered_what_the_flow_offers() -> None:
    answers = talk("where is my order", "hmm", "purple", "I do not know", "yes")
    assert [answer.say for answer in answers[1:]] == [
        "Digit by digit, please.",
        "Digit by digit, please.",
        "Shall I connect you?",
        "Connecting.",
    ]
    assert answers[-1].tool == "transfer"


@pytest.mark.parametrize("wish", ["an agent", f"{KEYS}0", "okay, an agent", "no, I want an agent", "right, a human please"])
def test_another_wish_leaves_the_question(wish: str) -> None:
    assert talk("where is my order", wish)[-1].tool == "transfer"
    assert talk("where is my order", "4821", wish)[-1].tool == "transfer"


def test_the_question_stays_open_behind_a_wish_that_is_answered_at_once() -> None:
    assert said("where is my order", "yes I have a question", "when are you open", "4821", "yes")[2:] == [
        "From nine.",
        "4, 8, 2, 1. Is that right?",
        "I will look up 4, 8, 2, 1.",
    ]
    assert said("where is my order", "4821", "when are you open", "purple")[2:] == ["From nine.", "Sorry?"], "but not for ever"
    assert said("where is my order", "4821", "when are you open", "yes")[3] == "What would you like?", "it answers what was asked"


@pytest.mark.parametrize("no", ["no", "No, no."])
def test_a_no_to_the_question_for_a_number_does_not_end_the_call(no: str) -> None:
    answer = talk("where is my order", no)[-1]
    assert (answer.say, answer.tool) == ("Digit by digit, please.", "")


@pytest.mark.parametrize("again", ["say that again", "okay, say that again"])
def test_the_question_is_repeated_on_request_and_stays_open(again: str) -> None:
    assert said("where is my order", "4821", again, "yes")[2:] == [
        "4, 8, 2, 1. Is that right?",
        "I will look up 4, 8, 2, 1.",
    ]


def test_values_are_forgotten_once_they_were_used() -> None:
    assert said("where is my order", "4821", "yes", {"status": "lost"}, "where is my order")[-1] == "Your order number, please?"


@pytest.mark.parametrize("told", [{"error": "HTTP 500"}, {}, {"state": "shipped"}, {"status": None}])
def test_a_tool_that_tells_nothing_to_say_is_made_up_for_and_leads_to_an_agent(told: dict[str, Any]) -> None:
    answers = talk("where is my order", "4821", "yes", told, "yes")
    assert answers[3].say == "I can not see 4, 8, 2, 1. Shall I connect you?"
    assert answers[4].tool == "transfer"


def test_words_of_the_tool_go_first_and_may_end_the_call() -> None:
    answer = talk("where is my order", "4821", "yes", {"say": "It is lost.", "status": "x", "then": "transfer"})[-1]
    assert (answer.say, answer.tool) == ("It is lost.", "transfer")


@pytest.mark.parametrize("told", [[], [{"status": "shipped"}]])
def test_the_rest_of_a_yes_that_comes_while_the_tool_is_asked_is_no_answer_to_what_was_never_said(told: list[Any]) -> None:
    messages = [{"role": "user", "content": text} for text in ("where is my order", "4821", "yes")]
    messages += [{"role": "tool", "content": json.dumps(one)} for one in told]
    answer = SCRIPT.answer([*messages, {"role": "user", "content": "that is right"}], "en")
    if told:
        assert answer == Answer("status", "Order 4, 8, 2, 1 is shipped.")
    else:
        assert (answer.tool, answer.arguments["number"]) == ("order_status", "4821")
    assert SCRIPT.answer([*messages, {"role": "user", "content": "an agent"}], "en").tool == "transfer"


def test_a_tool_that_is_not_offered_is_not_called() -> None:
    messages = [{"role": "user", "content": text} for text in ("where is my order", "4821", "yes")]
    assert SCRIPT.answer(messages, "en", offered=("webhook",)).say == "I can not see 4, 8, 2, 1. Shall I connect you?"


def test_several_slots_of_all_kinds_are_asked_in_turn_and_have_their_types() -> None:
    answers = talk("pick up a parcel", "98765 43210", "yes", "tomorrow", "haan", "no", "fifteen hundred", "correct")
    assert [answer.say for answer in answers[:-1]] == [
        "Your phone number?",
        "9 8 7 6 5, 4 3 2 1 0, right?",
        "Which day?",
        "On 30 November 2026?",
        "Have you paid?",
        "How much?",
        "1500 rupees?",
    ]
    assert answers[-1].tool == "webhook"
    data = {"heard": "correct", "phone": "9876543210", "day": "2026-11-30", "paid": False, "sum": 1500}
    assert answers[-1].arguments == {"intent": "pickup", "data": data}


@pytest.mark.parametrize(
    ("text", "meaning"), [("no", "end"), ("an agent", "end"), ("four eight", "something"), ("purple rain", "nothing")]
)
def test_a_flow_knows_what_would_end_the_call(text: str, meaning: str) -> None:
    assert SCRIPT.meaning(text) == meaning


def test_what_was_collected_is_known_after_other_wishes_too() -> None:
    turns = ["where is my order", "4821", "yes", "pick up a parcel", "9876543210", "yes", "tomorrow"]
    messages = [{"role": "user", "content": turn} for turn in turns]
    assert SCRIPT.collected(messages) == {"order": "4821", "phone": "9876543210"}, "the day is not confirmed"
    assert SCRIPT.collected(messages[:2]) == {}


def test_a_date_is_said_in_the_language_of_the_call() -> None:
    assert values.spoken("date", "2026-12-05", "hi-IN") == "5 दिसंबर 2026"


def test_a_number_said_over_the_bot_is_meant() -> None:
    assert SCRIPT.understands("four eight two one")
    assert SCRIPT.understands("tomorrow")
    assert Script(flow.parse(HEAD + SLOT + STATUS)).understands("no"), "it may answer what is read back"
    assert not SCRIPT.understands("purple rain")


def test_an_intent_gives_way_to_one_that_asks_where_its_tool_is_set() -> None:
    both = flow.parse(f"""
greeting: Hello.
fallback: [Sorry.]
{SLOT}intents:
  status:
    examples: [where is my order]
    say: It is on its way.
    where_set: lookup
  lookup:
    needs: [order]
    webhook: true
    otherwise: I can not see it.
""")
    asked = [{"role": "user", "content": "where is my order"}]
    assert Script(both).answer(asked, offered=()).say == "It is on its way."
    assert Script(both).answer(asked, offered=["webhook"]).say == "Which?"
    again = [*asked, {"role": "assistant", "content": "Which?"}, {"role": "user", "content": "it is about my order"}]
    assert Script(both).answer(again, offered=["webhook"]).say == "Which?"


# What is wrong with a flow


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            HEAD + SLOT.replace("number", "nummer") + STATUS,
            "f.yml:5: slots.order.kind: Invalid enum value 'nummer'",
        ),
        (HEAD + SLOT + "    digts: 4\n" + STATUS, 'f.yml:8: slots.order.digts: unknown key (did you mean "digits"?)'),
        (HEAD + SLOT.replace('    read_back: "{order}?"\n', "") + STATUS, "f.yml:4: slots.order: needs read_back"),
        (HEAD + SLOT.replace("{order}?", "Right?") + STATUS, "f.yml:7: slots.order.read_back: needs {order} in each text"),
        (HEAD + SLOT.replace("Which?", '"Which {it}?"') + STATUS, "f.yml:6: slots.order.ask: {it} is not known here"),
        (HEAD + SLOT + "    digits: [9, 4]\n" + STATUS, "f.yml:8: slots.order.digits: is one count, or the fewest and the most"),
        (
            HEAD + SLOT + STATUS.replace("[order]", "[oder]"),
            'f.yml:11: intents.status.needs[1]: no slot "oder"',
        ),
        (HEAD + SLOT + STATUS.replace("    needs: [order]\n", ""), "f.yml:4: slots.order: is asked for by nobody"),
        (
            HEAD + SLOT + STATUS.replace("Fine.", '"About {odrer}."'),
            "f.yml:12: intents.status.say: {odrer} is no slot",
        ),
        (HEAD + SLOT + STATUS + "    tool: look\n", "f.yml:9: intents.status: tool needs otherwise"),
        (
            HEAD + SLOT + STATUS + TOOL,
            'f.yml:13: intents.status.tool: no tool "look"',
        ),
        (
            HEAD + SLOT + STATUS + BOTH,
            "f.yml:9: intents.status: webhook: true and",
        ),
        (HEAD + SLOT + STATUS + "    where_set: look\n", 'f.yml:13: intents.status.where_set: no intent "look"'),
        (HEAD + SLOT + STATUS + "    where_set: status\n", "f.yml:13: intents.status.where_set: status asks nothing"),
        (
            HEAD + SLOT + STATUS + "    arguments: {a: b}\n",
            "f.yml:9: intents.status: arguments are those of a tool",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(flow.FlowError) as error:
        flow.parse(text, "f.yml", tools=["order_status"])
    assert any(one.startswith(problem) for one in error.value.problems), error.value.problems


def test_without_the_settings_a_tool_is_taken_on_trust() -> None:
    flow.parse(HEAD + SLOT + STATUS + "    tool: look\n    otherwise: No.\n")
