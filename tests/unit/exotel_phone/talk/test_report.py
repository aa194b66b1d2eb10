"""Latencies, verdict, text and JSON of made-up calls."""

import dataclasses
import json
from typing import Any

import pytest
from exotel_phone.talk.call import End
from exotel_phone.talk.measure import figures
from exotel_phone.talk.playback import Clear, Violation
from exotel_phone.talk.report import as_json, text
from exotel_phone.talk.script import Turn
from exotel_phone.talk.verdict import judge

from .bot_calls import BEGINS, call, hush, pressed, said, spoken, tone

BARGE_IN: dict[str, Any] = {
    "said": [said("When are you open?", 2.0), said("Stop.", 4.0, over_bot=True)],
    "spoken": [
        spoken("Hello.", 0.1, tone(1.0)),
        spoken("From nine", 3.3, tone(0.9), cut=tone(0.6)),
        spoken("Goodbye.", 5.4, tone(0.4)),
    ],
    "clears": [Clear(BEGINS + 4.25, 0.6)],
}
ENDED = call().end


def test_latencies_are_from_sound_to_sound() -> None:
    measured = figures(call())
    assert measured.greeting == pytest.approx(0.1)
    assert measured.voice_to_voice == [pytest.approx(0.5)], "0.2 s of the answer's audio is silence"
    assert measured.barge_ins == measured.gaps == measured.key_to_voice == []


def test_a_barge_in_is_timed_to_its_clear() -> None:
    measured = figures(call(**BARGE_IN))
    assert measured.to_clear == [pytest.approx(0.25)]
    assert measured.voice_to_voice == [pytest.approx(0.3), pytest.approx(0.4)]


def test_a_bot_that_speaks_on_is_told_of() -> None:
    measured = figures(call(**{**BARGE_IN, "clears": []}))
    assert (len(measured.barge_ins), measured.to_clear) == (1, [])
    assert "1 of 1 did not make the bot stop" in text(call(**{**BARGE_IN, "clears": []}), None)


@pytest.mark.parametrize("first", [spoken(None, 3.1, tone(0.04), cut=tone(0.5)), spoken(None, 3.1, hush(0.3))])
def test_what_nobody_could_hear_is_no_answer(first: Any) -> None:
    answered = call().spoken[1]
    assert figures(call(spoken=[first, answered])).voice_to_voice == [pytest.approx(0.5)]
    assert figures(call(spoken=[first])).voice_to_voice == []


def test_a_key_is_timed_by_itself() -> None:
    pressed_over = dataclasses.replace(pressed("1", 3.0), over_bot=True)
    measured = figures(call(said=[pressed_over], clears=[Clear(BEGINS + 3.01, 0.5)]))
    assert (measured.key_to_voice, measured.voice_to_voice) == ([pytest.approx(0.5)], [])
    assert measured.barge_ins == [], "a key needs no ear: it would flatter the figure"


def test_a_caller_who_speaks_first_was_not_greeted() -> None:
    assert figures(call(said=[said("Hello?", 0.0, 0.5)])).greeting is None


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, None),
        (BARGE_IN, None),
        ({"end": End(BEGINS + 6, False, None, "the caller hung up", 3.0)}, None),
        ({"fault_count": 1, "faults": ("a message without stream_sid",)}, "bad-messages"),
        ({"end": End(BEGINS + 6, True, 1011, "the server closed the call with 1011", 0.0)}, "closed-early"),
        ({"end": End(BEGINS + 6, True, None, "the server took nothing for 10 s", 0.0)}, "closed-early"),
        ({"end": dataclasses.replace(ENDED, unheard_s=0.3)}, "cut-short"),
        ({"end": dataclasses.replace(ENDED, unheard_s=0.02)}, None),
        ({"spoken": []}, "never-answers"),
        ({"spoken": call().spoken[:1]}, "no-answer"),
        ({"unsaid": [Turn(say="And tomorrow?")]}, "ended-early"),
        ({"violations": [Violation(BEGINS, 640, "less than 3200")]}, "chunks"),
    ],
)
def test_verdict(changed: dict[str, Any], kind: str | None) -> None:
    fault = judge(call(**changed))
    assert (fault.kind if fault else None) == kind


def test_a_call_that_ended_early_leads_to_the_log_of_what_failed() -> None:
    fault = judge(call(unsaid=[Turn(say="And tomorrow?")]))
    assert fault
    assert "exotelctl logs --call" in fault.next


def test_the_text_tells_the_call_in_its_order() -> None:
    lines = text(call(**BARGE_IN), None).splitlines()
    assert lines[:6] == [
        "      0.1 s  bot     Hello.",
        "      2.0 s  caller  When are you open?",
        "      3.3 s  bot     From nine  (cut after 0.9 s, 0.6 s dropped)",
        "      4.0 s  caller  Stop.  (over the bot)",
        "      5.4 s  bot     Goodbye.",
        "      6.0 s          the bot ended the call (1000)",
    ]
    assert "   greeting         100 ms" in lines
    assert "   voice to voice   p50 300 ms, max 400 ms  (300, 400)" in lines
    assert "   barge-in → clear 250 ms" in lines
    assert "   gaps             none" in lines
    assert "   chunks           2 messages of 3200 bytes, all by the rules, at most 0.6 s ahead" in lines
    assert lines[-2] == "   call sid         c", "by which the server's journal and transcript know it"
    assert lines[-1] == "✅ The bot answered every turn."


def test_words_that_nobody_recognised_are_told_by_their_length() -> None:
    told = text(call(spoken=[spoken(None, 0.1, tone(1.0))]), None)
    assert "bot     (spoken, 1.0 s)" in told
    assert "exotel-voicebot[ai]" in told


def test_a_fault_ends_the_text_with_what_to_do_next() -> None:
    broken = call(spoken=[])
    lines = text(broken, judge(broken)).splitlines()
    assert lines[-2] == "❌ the bot never said anything"
    assert lines[-1] == "   next: on the host: exotelctl logs --call c"


def test_what_a_bot_says_cannot_touch_the_terminal() -> None:
    assert "\x1b" not in text(call(spoken=[spoken("\x1b[2J", 0.1, tone(1.0))]), None)


def test_json_has_all_of_it() -> None:
    made = json.loads(json.dumps(as_json(call(**BARGE_IN), None, {"out": None})))
    assert made["ok"] is True
    assert made["greeting_ms"] == 100
    assert made["voice_to_voice_ms"] == {"p50": 300, "max": 400, "each": [300, 400]}
    assert made["barge_in_to_clear_ms"] == {"p50": 250, "max": 250, "each": [250]}
    assert made["barge_ins"] == {"made": 1, "obeyed": 1}
    assert made["caller"][1] == {
        "text": "Stop.", "keys": "", "begins_s": 4.0, "ends_s": 5.0, "over_bot": True, "answered_after_ms": 400
    }  # fmt: skip
    assert made["bot"][1] == {"text": "From nine", "begins_s": 3.3, "ends_s": 4.2, "cut_s": 0.6, "gaps_ms": []}
    assert made["clears"] == [{"at_s": 4.25, "dropped_s": 0.6}]
    assert made["end"] == {"by": "bot", "code": 1000, "unheard_s": 0.0}
    assert made["messages"]["violations"] == []
