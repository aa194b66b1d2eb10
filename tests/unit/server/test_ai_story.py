"""A call's story: one line sums it up, a file tells it, and neither reveals private words or numbers."""

import json
import logging
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.records.tally import OUTCOMES, SERVICES, STAGES, AiTally
from exotel_ws.ai.settings import Ai, Record
from exotel_ws.logs import CallLog
from exotel_ws.protocol import Start

RATE = 8000
START = Start("stream1", "call1", from_="09876543210", to="08047112233")
SECRET = "my card number is 4111111111111111"
Happens = list[tuple[float, Callable[[Story], Any]]]
"""Time in seconds of the call, and the event reported then."""


class Rig:
    """Story with its clock and its surroundings."""

    def __init__(self, record: Record = Record()) -> None:  # noqa: B008 - it is frozen
        self.now = 50.0
        self.tally = AiTally(["default", "sales"])
        self.shelf = Shelf(record) if record.transcripts or record.audio else None
        if self.shelf:
            self.shelf.open()
        self.story = Story(
            Ai(record=record),
            START,
            conn_id="conn_1",
            sample_rate=RATE,
            tally=self.tally,
            log=CallLog("conn_1"),
            clock=lambda: self.now,
            shelf=self.shelf,
        )
        self.story.answers("sales")

    def tell(self, happens: Happens) -> None:
        for at, tell in happens:
            self.now = 50.0 + at
            tell(self.story)

    def end(self, at: float, outcome: str = "hang_up") -> None:
        self.tell([(at, lambda story: story.close(outcome))])
        if self.shelf:
            self.shelf.close()


def kept(directory: Path) -> dict[str, Any]:
    (file,) = directory.glob("*.json")
    told: dict[str, Any] = json.loads(file.read_text())
    return told


def plays(seconds: float, after: float = 0.0) -> Callable[[Story], None]:
    """Report that audio of this length was sent, to be heard from ``after`` on."""
    return lambda story: story.bot_audio(story._clock() + after, bytes(round(seconds * RATE) * 2))


def cleared(story: Story) -> None:
    story.bot_cleared(story._clock())


def caller(begins: float, ends: float, text: str) -> Happens:
    return [(begins, lambda story: story.caller_started()), (ends, lambda story: story.caller_said(text))]


def bot(text: str, heard: bool = True) -> Callable[[Story], None]:
    return lambda story: story.bot_said(text, heard)


SPOKEN: Happens = [
    (0.1, plays(2.0)),
    (2.1, bot("Hello.")),
    *caller(3.0, 4.5, "Where is my order?"),
    (5.0, plays(1.0)),
    (6.0, bot("On its way.")),
    (6.1, plays(3.0)),
    (7.0, lambda story: story.caller_started()),
    (7.1, cleared),
    (8.0, lambda story: story.caller_said("stop it")),
    (8.0, lambda story: story.interruption(meant=True)),
    (8.0, bot("It should arrive tomorrow.", heard=False)),
    (8.0, bot("Anything else?", heard=False)),
    (8.5, lambda story: story.dtmf("5")),
    (8.6, lambda story: story.end_asked("hang_up", "satisfied", "Their order is on its way.")),
    (8.7, plays(0.5)),
    (9.2, bot("Goodbye.")),
]


def test_what_is_told(tmp_path: Path) -> None:
    rig = Rig(Record(transcripts=True, directory=str(tmp_path)))
    rig.tell(SPOKEN)
    rig.end(9.5)
    told = kept(tmp_path)
    assert [tuple(event.values()) for event in told.pop("events")] == [
        (100, "bot", "Hello.", "all", 2000),
        (3000, "caller", 4500, "Where is my order?"),
        (5000, "bot", "On its way.", "all", 1000),
        (6100, "bot", "It should arrive tomorrow.", "part", 1000),
        (7000, "caller", 8000, "stop it"),
        (8000, "interruption", True),
        (8000, "bot", "Anything else?", "nothing", 0),
        (8500, "dtmf", "5"),
        (8600, "tool", "hang_up", "satisfied", "Their order is on its way."),
        (8700, "bot", "Goodbye.", "all", 500),
    ]
    assert told.pop("began").endswith("+00:00")
    assert told == {
        "call_sid": "call1",
        "stream_sid": "stream1",
        "conn_id": "conn_1",
        "from": "098•••••210",
        "to": "080•••••233",
        "bot": "sales",
        "rate": RATE,
        "duration_ms": 9500,
        "outcome": "hang_up",
        "reason": "satisfied",
        "summary": "Their order is on its way.",
        "slots": {},
        "recording": None,
        "stages_ms": {"greeting": [100]},
        "events_lost": 0,
    }


@pytest.mark.parametrize(
    ("happens", "spoken"),
    [
        ([(1, plays(1)), (1.5, cleared), (2.5, plays(0.5)), (3, bot("a"))], [(1000, "all", 1000)]),
        ([(1, plays(1.2)), (2, bot("a")), (9, plays(1)), (10, bot("b"))], [(1000, "all", 1000), (9000, "all", 1000)]),
        ([(1, plays(1.7)), (2, bot("a")), (9, plays(1)), (10, bot("b"))], [(1000, "all", 1000), (9000, "all", 1000)]),
        ([(1, plays(1)), (9, plays(1)), (9.1, bot("a")), (10, bot("b"))], [(1000, "all", 1100), (9100, "all", 900)]),
        ([(1, plays(1)), (1, plays(1, after=1)), (2.3, bot("a")), (3.1, bot("b"))], [(1000, "all", 1300), (2300, "all", 700)]),
        ([(1, plays(1)), (1.4, cleared), (2, bot("a", heard=False))], [(1000, "part", 400)]),
        ([(1, bot("a", heard=False))], [(1000, "nothing", 0)]),
    ],
    ids=[
        "paused and resumed",
        "the silence after words",
        "long silence after words",
        "a very late mark",
        "a late mark",
        "cut",
        "never begun",
    ],
)
def test_what_was_heard(happens: Happens, spoken: list[tuple[int, str, int]], tmp_path: Path) -> None:
    rig = Rig(Record(transcripts=True, directory=str(tmp_path)))
    rig.tell(happens)
    rig.end(20)
    assert [(event["at_ms"], event["heard"], event["heard_ms"]) for event in kept(tmp_path)["events"]] == spoken


FAILING: Happens = [
    (1.0, lambda story: story.provider_error("llm", "openai", "429: quota")),
    (1.1, lambda story: story.switched("llm", "embedded")),
    (1.2, lambda story: story.provider_error("pipeline", "", "?")),
    (1.3, lambda story: story.apologised()),
    (2.0, lambda story: story.stage("voice_to_voice", 0.5)),
    (3.0, lambda story: story.stage("voice_to_voice", 0.9)),
    (4.0, lambda story: story.stage("voice_to_voice", 0.6)),
    (5.0, lambda story: story.interruption(meant=False)),
]


def test_the_line_that_sums_it_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rig = Rig()
    rig.tell([*SPOKEN, *FAILING])
    rig.end(12.3, "transfer")
    rig.end(20, "caller")
    (line,) = [record.fields for record in caplog.records if record.fields["EVENT"] == "summary"]  # type: ignore[attr-defined]
    assert line == {
        "CONN_ID": "conn_1",
        "EVENT": "summary",
        "OUTCOME": "transfer",
        "DURATION_MS": "12300",
        "TURNS": "2",
        "KEYS": "1",
        "GREETING_MS": "100",
        "V2V_P50_MS": "600",
        "V2V_MAX_MS": "900",
        "BARGE_INS": "1",
        "FALSE_BARGE_INS": "1",
        "ERRORS": "2",
        "SWITCHES": "1",
        "BOT": "sales",
        "KEPT": "",
    }


def test_what_is_counted() -> None:
    rig = Rig()
    rig.tell([*SPOKEN, *FAILING])
    rig.end(20, "transfer")
    rig.end(21, "caller")
    tally = rig.tally
    assert (tally.turns, tally.apologies) == (2, 1)
    assert tally.interruptions == {"meant": 1, "false": 1}
    assert tally.errors == {"stt": 0, "llm": 1, "tts": 0, "pipeline": 1}
    assert tally.switches == {"stt": 0, "llm": 1, "tts": 0}
    assert {outcome: count for outcome, count in tally.ended.items() if count} == {"transfer": 1}
    assert {stage: sum(took.counts) for stage, took in tally.stages.items() if took.sum_s} == {"greeting": 1, "voice_to_voice": 3}


def test_an_outcome_that_is_not_known() -> None:
    rig = Rig()
    rig.end(1, "webhook")
    assert rig.tally.ended == dict.fromkeys(OUTCOMES, 0) | {"other": 1}


@pytest.mark.parametrize("record", [{}, {"transcripts": True}, {"audio": True}], ids=["nothing kept", "transcripts", "audio"])
def test_the_journal_does_not_know(record: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The journal has neither the words nor the speaker, whatever is kept."""
    caplog.set_level(logging.INFO)
    rig = Rig(Record(directory=str(tmp_path), **record))
    rig.tell([*caller(1, 2, SECRET), (2, plays(1)), (3, bot(f"So {SECRET}.")), (3, lambda story: story.dtmf("7"))])
    rig.end(4)
    assert len(caplog.records) >= 3
    written = "\n".join(f"{record.getMessage()} {vars(record).get('fields')}" for record in caplog.records)
    assert not [secret for secret in ("4111", "card", "09876543210", "08047112233", "'7'") if secret in written]


def test_at_debug_it_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Rig().tell(caller(1, 2, SECRET))
    assert any(SECRET in record.getMessage() for record in caplog.records)


def test_nothing_is_kept_by_default(tmp_path: Path) -> None:
    """By default nothing is kept or remembered: the caller's words are gone once they are answered."""
    rig = Rig(Record(directory=str(tmp_path)))
    rig.tell([*caller(1, 2, SECRET), (2, lambda story: story.caller_audio(bytes(320))), (2, plays(1))])
    assert SECRET not in repr(vars(rig.story))
    rig.end(4)
    assert not list(tmp_path.iterdir())


def test_a_recording(tmp_path: Path) -> None:
    rig = Rig(Record(audio=True, transcripts=True, directory=str(tmp_path)))
    rig.tell([(at / 50, lambda story: story.caller_audio(b"\1\0" * 160)) for at in range(1, 101)])
    rig.tell([(2.0, plays(1))])
    rig.end(2.5)
    (file,) = tmp_path.glob("*.wav")
    with wave.open(str(file)) as recording:
        assert (recording.getnframes(), recording.getframerate()) == (2.5 * RATE, RATE)
    told = kept(tmp_path)
    assert told["recording"] == file.name
    assert file.with_suffix(".json").exists(), "both have one name"


@pytest.mark.parametrize("what", ["transcripts", "audio"])
def test_what_can_t_be_kept(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A failure to keep a file is logged once and has no other effect."""
    (tmp_path / "file").touch()
    rig = Rig(Record(directory=str(tmp_path / "file"), transcripts=what == "transcripts", audio=what == "audio"))
    rig.tell([(at / 50, lambda story: story.caller_audio(bytes(320))) for at in range(500)])
    rig.end(12)
    said = [record for record in caplog.records if getattr(record, "fields", {}).get("EVENT") == "not_kept"]
    assert len(said) == 1
    assert said[0].fields["REASON"] == "File exists"  # type: ignore[attr-defined]


def test_a_caller_who_presses_keys_without_end(tmp_path: Path) -> None:
    rig = Rig(Record(transcripts=True, directory=str(tmp_path)))
    rig.tell([(1, lambda story: story.dtmf("1"))] * 5003)
    rig.end(2)
    told = kept(tmp_path)
    assert (len(told["events"]), told["events_lost"]) == (5000, 3)


@pytest.mark.parametrize(
    ("happens", "state", "turns", "last_ms"),
    [
        ([(0.1, lambda story: None)], "listening", 0, None),
        ([(0.1, plays(2))], "greeting", 0, None),
        ([(0.1, plays(2)), (2.2, lambda story: None)], "listening", 0, None),
        (caller(1, 2, "hi"), "thinking", 1, None),
        ([*caller(1, 2, "hi"), (2.5, plays(2)), (2.5, lambda story: story.stage("voice_to_voice", 0.7))], "speaking", 1, 700),
        ([*caller(1, 2, "hi"), (2.5, plays(2)), (3, cleared)], "listening", 1, None),
        ([(2.5, lambda story: story.dtmf("1"))], "thinking", 0, None),
        ([*caller(1, 2, "hmm"), (2.1, lambda story: story.interruption(meant=False))], "listening", 1, None),
    ],
)
def test_facts(happens: Happens, state: str, turns: int, last_ms: int | None) -> None:
    rig = Rig()
    rig.tell(happens)
    assert rig.story.facts() == {"state": state, "turns": turns, "voice_to_voice_ms": last_ms}


def test_a_late_first_word_is_no_greeting() -> None:
    rig = Rig()
    rig.tell([(7.5, plays(1))])
    assert not rig.tally.stages["greeting"].sum_s


def test_the_labels_are_known() -> None:
    assert set(AiTally().stages) == set(STAGES)
    assert set(AiTally().switches) < set(SERVICES)


def test_what_a_caller_said_in_two_parts_is_one_turn(tmp_path: Path) -> None:
    rig = Rig(Record(transcripts=True, directory=str(tmp_path)))
    rig.tell(caller(1, 2, "When are you open?"))
    rig.tell(caller(4, 5, "My order"))
    rig.tell(caller(6, 7, "has not"))
    rig.tell(caller(7.5, 8, "arrived."))
    rig.tell([(8, lambda story: story.caller_went_on(2))])
    rig.end(9)
    said = [event for event in kept(tmp_path)["events"] if event["what"] == "caller"]
    assert [(event["at_ms"], event["until_ms"], event["text"]) for event in said] == [
        (1000, 2000, "When are you open?"),
        (4000, 8000, "My order has not arrived."),
    ]
