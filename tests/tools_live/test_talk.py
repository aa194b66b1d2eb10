"""``exotelctl talk`` to a bot: one whose voice is a tone, and the real one."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from exotel_phone import audio, call
from exotel_phone.command import command
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.options import CallOptions, TalkOptions
from exotel_phone.talk import verb

from tests.protocol.process import ServerProcess
from tests.unit.exotel_phone.talk.bot_calls import hush, tone

from .bot_server import Bot, Manners, talking

ROUNDED_S = 0.021
"""Length of a frame, and the error of rounding to milliseconds."""


@pytest.fixture
def turn(tmp_path: Path) -> Path:
    """Return half a second of voice between silences."""
    file = tmp_path / "said.wav"
    audio.write_wav(file, 8000, hush(0.1) + tone(0.5, 300) + hush(0.3))
    return file


@pytest.fixture(autouse=True)
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip recognition, as a tone has no words."""
    monkeypatch.setattr("exotel_phone.talk.words.recognise", lambda _spoken: None)


def place(manners: Manners, turns: list[Path | str], **options: Any) -> tuple[Exit, Bot]:
    """Place a call in which each turn is a file or keys."""
    typed = [f"file:{turn}" if isinstance(turn, Path) else f"dtmf:{turn}" for turn in turns]

    async def main() -> tuple[Exit, Bot]:
        async with talking(manners) as server:
            code = await asyncio.to_thread(verb.run, TalkOptions(url=server.url, turns=typed, json=True, **options))
            return code, server.bots[-1]

    return asyncio.run(main())


def made(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_a_conversation(turn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard, chart = tmp_path / "heard.wav", tmp_path / "call.png"
    code, bot = place(Manners(), [turn, "1"], out=heard, chart=chart)
    told = made(capsys)
    assert code == Exit.OK, told
    assert [said["text"] for said in told["caller"]] == [f"({turn})", "[1]"]
    assert len(told["bot"]) == 3
    assert told["end"]["by"] == "bot"
    assert told["end"]["code"] == 1000
    assert told["gaps_ms"] == []
    assert told["greeting_ms"] >= 0
    assert told["voice_to_voice_ms"]["p50"] >= 180, "ten frames of silence end a turn"
    assert told["key_to_voice_ms"]["p50"] >= 0, "a key is no voice"
    assert chart.read_bytes().startswith(b"\x89PNG")
    rate, pcm = audio.read_wav(heard)
    assert abs(len(pcm) / 2 / rate - told["bot"][-1]["ends_s"]) < 0.01
    assert [message["event"] for _at, message in bot.received[:2]] == ["connected", "start"]


def test_frames_are_paced_also_while_nobody_speaks(turn: Path) -> None:
    _code, bot = place(Manners(answers=1), [turn])
    media = [at for at, message in bot.received if message["event"] == "media"]
    assert 50 < len(media) <= (media[-1] - media[0]) / 0.02 + 12, "never ahead of time"


def test_marks_come_back_when_the_audio_before_them_was_played(turn: Path) -> None:
    _code, bot = place(Manners(answers=1, answer_s=1.0), [turn])
    first_media = next(at for at, event in bot.sent if event == "media")
    came = {message["mark"]["name"]: at for at, message in bot.received if message["event"] == "mark"}
    assert list(came) == ["greeting", "answer-1"]
    assert came["greeting"] - first_media >= 1.0


def test_the_caller_waits_for_the_end_of_the_greeting(turn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(Manners(answers=1, answer_s=1.0), [turn])
    told = made(capsys)
    assert told["caller"][0]["begins_s"] > told["bot"][0]["ends_s"] + 0.5
    assert told["caller"][0]["over_bot"] is False
    assert told["barge_ins"] == {"made": 0, "obeyed": 0}


def test_a_barge_in_is_obeyed_and_timed(turn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, bot = place(Manners(answer_s=3.0), [turn, turn], barge_in_after=500)
    told = made(capsys)
    assert code == Exit.OK, told
    assert told["barge_ins"] == {"made": 1, "obeyed": 1}
    assert told["caller"][1]["over_bot"] is True
    assert told["caller"][1]["begins_s"] >= told["bot"][1]["begins_s"] + 0.5 - ROUNDED_S
    assert told["barge_in_to_clear_ms"]["max"] >= 0
    cut = told["bot"][1]
    assert cut["ends_s"] - cut["begins_s"] + cut["cut_s"] == pytest.approx(3.0, abs=0.01)
    marks = [message["mark"]["name"] for _at, message in bot.received if message["event"] == "mark"]
    assert marks == ["greeting", "answer-2"], "what was cleared was not played"


def test_a_bot_that_cannot_be_interrupted_is_told_of(turn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(Manners(answer_s=1.6, stops=False), [turn, turn], barge_in_after=300)
    told = made(capsys)
    assert told["barge_ins"] == {"made": 1, "obeyed": 0}
    assert told["clears"] == []


def test_gaps_are_measured(turn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(Manners(answers=1, hole_s=0.3), [turn])
    gaps = made(capsys)["gaps_ms"]
    assert len(gaps) == 2, "one in the greeting, one in the answer"
    assert all(gap >= 250 for gap in gaps)


@pytest.mark.parametrize(
    ("manners", "kind"),
    [
        (Manners(answers=1, chunk=640), "chunks"),
        (Manners(answers=1, chunk=3300), "chunks"),
        (Manners(answers=1, waits_for_mark=False), "cut-short"),
        (Manners(answers=1, close_code=1011), "closed-early"),
        (Manners(answers=1, sid="x"), "bad-messages"),
    ],
    ids=["small", "odd", "goodbye cut", "1011", "other stream"],
)
def test_what_is_wrong_is_named(
    manners: Manners, kind: str, turn: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exotel_phone.talk.caller.GREETING_S", 0.5)
    monkeypatch.setattr("exotel_phone.talk.caller.ANSWER_S", 1.0)
    code, _bot = place(manners, [turn])
    assert code == Exit.PROBLEM
    assert made(capsys)["problem"]["kind"] == kind


@pytest.mark.parametrize(("greets", "kind"), [(False, "never-answers"), (True, "no-answer")])
def test_silence_is_waited_for_and_told(
    greets: bool, kind: str, turn: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exotel_phone.talk.caller.GREETING_S", 0.3)
    monkeypatch.setattr("exotel_phone.talk.caller.ANSWER_S", 0.5)
    code, bot = place(Manners(answers=0, greets=greets), [turn])
    told = made(capsys)
    assert code == Exit.PROBLEM
    assert told["problem"]["kind"] == kind
    assert told["end"]["by"] == "caller"
    assert bot.received[-1][1]["event"] == "stop", "nothing follows it"


def test_a_bot_that_leaves_before_the_last_turn_is_told_of(turn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _bot = place(Manners(answers=1), [turn, turn])
    told = made(capsys)
    assert (code, told["problem"]["kind"], told["unsaid"]) == (Exit.PROBLEM, "ended-early", [f"({turn})"])


@pytest.mark.parametrize("with_file", [True, False])
def test_a_call_that_expects_an_echo_names_the_verb_that_talks(
    with_file: bool, turn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> Exit:
        async with talking(Manners(answers=1)) as server:
            options = CallOptions(url=server.url, wav=turn if with_file else None, seconds=0.2)
            return await asyncio.to_thread(call.run, options)

    assert asyncio.run(main()) == Exit.PROBLEM
    said = capsys.readouterr().out
    assert "is in mode ai: it does not echo" in said
    assert command("exotelctl", "talk", "URL", f"file:{turn}" if with_file else "…") in said


def test_nothing_to_hear_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "hush.wav"
    audio.write_wav(file, 8000, hush(0.5))
    with pytest.raises(UsageFault, match="nothing to hear"):
        place(Manners(), [file, "1"])
    with pytest.raises(UsageFault, match="second"):
        place(Manners(), ["1"], barge_in_after=500)
    with pytest.raises(UsageFault, match="no directory"):
        place(Manners(), ["1"], chart=tmp_path / "no" / "a.png")


def test_a_picture_without_pillow_is_refused_before_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Refusal, match=r"pip install 'exotel-voicebot\[ai\]'"):
        place(Manners(), ["1"], chart=tmp_path / "a.png")


def test_a_load_is_not_put_on_a_bot() -> None:
    async def main() -> subprocess.CompletedProcess[str]:
        async with talking(Manners()) as server:
            command = [sys.executable, "-m", "exotelctl", "load", server.url]
            return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)

    done = asyncio.run(main())
    assert done.returncode == Exit.REFUSED
    assert "load expects an echo" in done.stderr
    assert "exotelctl talk URL" in done.stderr


VOICE = next(filter(shutil.which, ("flite", "espeak-ng")), "")


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    it = ServerProcess(tmp_path / "server", {"mode": "ai"})
    try:
        yield it.start().url()
    finally:
        it.kill()


@pytest.mark.skipif(not VOICE, reason="a voice other than the bot's: apt-get install flite or espeak-ng")
@pytest.mark.skipif(find_spec("moonshine_voice") is None, reason="the ai extra is not installed")
def test_the_real_bot_is_talked_to(real: str, tmp_path: Path) -> None:
    chart = tmp_path / "call.png"
    turns = ["When are you open?", "dtmf:2", "No thank you, goodbye."]
    command = [sys.executable, "-m", "exotelctl", "talk", real, *turns, "--voice", VOICE, "--chart", str(chart), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert done.returncode == 0, told["problem"]
    said = " ".join(spoken["text"] for spoken in told["bot"]).casefold()
    for words in ("opening hours", "monday to saturday", "your order is on its way", "thank you for calling"):
        assert words in said
    assert told["end"] == {"by": "bot", "code": 1000, "unheard_s": 0.0}
    assert len(told["voice_to_voice_ms"]["each"]) == 2
    assert told["messages"]["violations"] == []
    assert chart.read_bytes().startswith(b"\x89PNG")
