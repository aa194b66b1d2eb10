"""The turns as typed, and the voices that say them."""

import contextlib
import subprocess
import sys

import pytest
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.talk import voice
from exotel_phone.talk.script import turn


def test_each_word_of_the_command_line_is_a_turn() -> None:
    typed = ["one", "dtmf:2", "file:three.wav", "four: five", "dtmf:5#", "file:a:b.wav"]
    shown = ["one", "[2]", "(three.wav)", "four: five", "[5#]", "(a:b.wav)"]
    assert [turn(word).shown for word in typed] == shown


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("…", "no word"),
        ("", "no word"),
        ("dtmf:A", "keys 0-9"),
        ("dtmf:", "keys 0-9"),
        ("नमस्ते", ""),
        ("dtmf:*", ""),
        ("dtmf", ""),
    ],
)
def test_what_cannot_be_said(typed: str, fault: str) -> None:
    with pytest.raises(UsageFault, match=fault) if fault else contextlib.nullcontext():
        turn(typed)


def talk(*words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "exotelctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--say", "Hello"],
        ["--say=Hello", "--chart", "a.png"],
        ["--dtmf", "1"],
        ["--wav", "a.wav", "--wav", "b.wav"],
        ["--wav", "a.wav", "--voice", "flite"],
        ["--wav", "a.wav", "--barge-in-after", "500"],
    ],
)
def test_the_options_that_call_had_for_bots_name_the_verb_that_has_them(options: list[str]) -> None:
    code, said = talk("call", "ws://127.0.0.1:9", *options)
    assert code == 2
    assert 'exotelctl talk URL "When are you open?" dtmf:1 file:a.wav' in said


def test_without_a_turn_nothing_is_called() -> None:
    code, said = talk("talk", "ws://127.0.0.1:9")
    assert code == 2
    assert "TURN" in said


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Empty the path of programs, remove the ai extra, and return the set of programs that a test adds to."""
    there: set[str] = set()
    monkeypatch.setattr(voice.shutil, "which", lambda name: f"/usr/bin/{name}" if name in there else None)
    monkeypatch.setattr(voice.importlib.util, "find_spec", lambda _name: None)
    return there


def test_a_program_speaks_where_the_extra_is_missing(nothing_installed: set[str]) -> None:
    nothing_installed |= {"espeak-ng"}
    assert voice.pick()[0] == "espeak-ng"
    nothing_installed |= {"flite"}
    assert voice.pick()[0] == "flite"
    assert voice.pick("espeak-ng")[0] == "espeak-ng"


def test_without_any_voice_it_says_what_to_install(nothing_installed: set[str]) -> None:
    with pytest.raises(Refusal, match=r"apt-get install flite or pip install 'exotel-voicebot\[ai\]'"):
        voice.pick()
    with pytest.raises(Refusal, match="apt-get install espeak-ng;"):
        voice.pick("espeak-ng")
    with pytest.raises(Refusal, match=r"with: pip install"):
        voice.pick("embedded")
    with pytest.raises(UsageFault, match="--voice alice"):
        voice.pick("alice")
