"""The fixed sentences of a call are in its language, and none is ever silent."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from exotel_ws.ai import beforehand, sayable
from exotel_ws.ai.embedded.models import Speaker, example_flow
from exotel_ws.ai.failure.apology import Phrases, texts
from exotel_ws.ai.providers import supply
from exotel_ws.ai.scripted import flow
from exotel_ws.ai.sentences import USUAL, Sentences, problems, sentences
from exotel_ws.ai.settings import Ai, Failure, Silence, Tool
from exotel_ws.settings import Settings, SettingsError, check

from .ai_call import GREETING, Call, at_once
from .test_ai_plan import services

HINDI = sentences(Ai(), "hi")
FLOW = "greeting: {greeting}\nfallback: [Sorry.]\nintents: {{a: {{examples: [one], say: {say}}}}}\n"


def hindi(said: Sentences) -> bool:
    return all(
        any("ऀ" <= letter <= "ॿ" for letter in text) for each in said for text in ([each] if isinstance(each, str) else each)
    )


def test_every_sentence_ships_in_hindi_and_in_english() -> None:
    assert hindi(HINDI)
    assert not any(hindi(USUAL._replace(prompts=(text,))) for text in texts(USUAL))
    assert [len(each) for each in (HINDI.prompts, HINDI.fillers)] == [len(each) for each in (USUAL.prompts, USUAL.fillers)]


@pytest.mark.parametrize(
    ("goodbye", "language", "said"),
    [
        ({"en": "Bye.", "hi": "नमस्ते।"}, "hi-IN", "नमस्ते।"),
        ({"en": "Bye.", "hi": "नमस्ते।"}, "HI", "नमस्ते।"),
        ({"en": "Bye.", "hi-IN": "नमस्ते।"}, "hi", "Bye."),
        ({"en": "Bye.", "hi": "नमस्ते।"}, "ta", "Bye."),
        ({"hi": "नमस्ते।"}, "", "नमस्ते।"),
        ("One for all.", "hi", "One for all."),
    ],
)
def test_a_sentence_is_the_calls_own_else_of_its_family_else_the_first(goodbye: Any, language: str, said: str) -> None:
    assert sentences(Ai(goodbye=goodbye), language).goodbye == said


def test_a_language_that_is_none_and_an_empty_table_are_refused_at_start() -> None:
    faulty = Ai(goodbye={}, failure=Failure(fillers={"en": ["Wait."], "hin di": ["रुकिए।"]}))
    assert [problem.split(" ")[0] for problem in problems(faulty)] == ["ai.goodbye:", "ai.failure.fillers:"]
    with pytest.raises(SettingsError, match=r'ai.failure.fillers: "hin di" is no language'):
        supply.check(faulty)


def test_a_text_a_language_is_taken_from_the_file() -> None:
    ai = {"goodbye": {"en": "Bye.", "hi": "नमस्ते।"}, "silence": {"prompts": {"hi": ["क्या?"]}}, "greeting": "Hello."}
    assert check({"mode": "ai", "ai": ai}).ai == ai
    with pytest.raises(SettingsError):
        check({"mode": "ai", "ai": {"goodbye": {"en": 3}}})


def test_a_hindi_call_is_asked_and_parted_from_in_hindi() -> None:
    async def call() -> None:
        call = Call(language="hi")
        assert await call.end() == "silence"
        assert call.story.said == [(text, True) for text in (GREETING, *HINDI.prompts, HINDI.silent)]
        late = Call(language="hi", max_call_s=30.0, silence=Silence(after_s=600.0))
        assert await late.end() == "time_up"
        assert late.story.said[-1] == (HINDI.time_up, True)

    at_once(call)


def test_what_a_voice_makes_nothing_of_is_said_in_english() -> None:
    def speak(text: str) -> bytes:
        return b"\1\1" if text.isascii() else b""

    mixed = HINDI._replace(apology="Sorry.")
    made = Phrases.spoken(mixed, speak)
    assert made.apology == ("Sorry.", b"\1\1")
    assert (made.not_heard, made.enough) == ((USUAL.not_heard, b"\1\1"), (USUAL.enough, b"\1\1"))
    assert [text for text, _ in made.fillers] == list(USUAL.fillers)
    assert Phrases.spoken(HINDI._replace(fillers=()), speak).fillers == ()


def test_phrases_belong_to_their_audio() -> None:
    made = Phrases.of(HINDI, [text.encode() for text in texts(HINDI)])
    assert all(text.encode() == audio for text, audio in (*made[:4], *made.fillers))
    assert made.apology[0] == HINDI.apology


def test_the_embedded_voice_says_a_text_whole_or_not_at_all() -> None:
    speaker = Speaker()
    assert speaker.speak_whole("Café, 2 minutes.", 8000)
    assert speaker.speak("OTP भेज दिया है।", 8000)
    assert not speaker.speak_whole("OTP भेज दिया है।", 8000)


def test_sentences_are_kept_when_all_of_them_could_be_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    works = False

    async def speak(_service: Any, text: str) -> bytes:
        if text == "Two." and not works:
            raise ConnectionRefusedError("nobody there")
        return text.encode() * 8

    async def test() -> None:
        nonlocal works
        kept = beforehand.Beforehand("Lacking", lambda _: ["One.", "Two."], lambda *_: None, 8)  # type: ignore[arg-type,return-value]
        for works in (False, True):
            task = kept.prepare("hi")
            assert task is not None
            await task
            assert [bool(pcm) for pcm in kept.get("hi", "", 24000)] == ([True, True] if works else [])
        await kept.close()

    monkeypatch.setattr(beforehand, "speak", speak)
    asyncio.run(test())
    assert "Lacking: nobody there" in caplog.text


@pytest.mark.parametrize(
    ("greeting", "say", "more", "told"),
    [
        ("{en: Hello., hi: नमस्ते।}", "{en: Yes., hi: जी।}", {}, ""),
        ("{hi: नमस्ते।}", "{hi: जी।}", {}, "ai.flow: greeting: "),
        ("Hello.", "जी।", {}, "ai.flow: intents.a: "),
        ("Hello.", "जी।", {"llm": ["ollama"]}, ""),
        ("नमस्ते।", "Yes.", {"greeting": {"hi": "नमस्ते।", "en": "Hello."}}, ""),
        ("Hello.", "Yes.", {"greeting": "नमस्ते।"}, "ai.greeting: "),
        ("Hello.", "Yes.", {"goodbye": "नमस्ते।"}, "ai.goodbye: "),
        ("Hello.", "Yes.", {"silence": Silence(prompts={"hi": ["जी?"]})}, "ai.silence.prompts: "),
        ("Hello.", "Yes.", {"tools": {"t": Tool("Looks.", "https://t.example", saying="रुकिए।")}}, "ai.tools.t.saying: "),
        ("नमस्ते।", "जी।", {"tts": ["sarvam", "embedded"]}, ""),
    ],
)
def test_a_text_that_the_first_voice_can_not_say_is_refused_at_start(
    greeting: str, say: str, more: dict[str, Any], told: str
) -> None:
    [*found] = sayable.problems(Ai(**more), flow.parse(FLOW.format(greeting=greeting, say=say)))
    assert [problem.startswith(told) for problem in found] == ([True] if told else [])


def test_the_flow_that_ships_can_be_said() -> None:
    assert sayable.problems(Ai(), flow.load(example_flow())) == []


def test_the_check_of_the_settings_finds_what_can_not_be_said(tmp_path: Path) -> None:
    from exotel_ws.ai.spec import SPEC

    file = tmp_path / "flow.yml"
    file.write_text(FLOW.format(greeting="नमस्ते।", say="जी।"), "utf-8")
    with pytest.raises(SettingsError, match="embedded voice is for English only"):
        SPEC.check(Settings(mode="ai", ai={"flow": str(file)}))


@pytest.mark.parametrize(
    ("raw", "speaks"),
    [({}, False), ({"tts": ["openai"]}, False), ({"tts": ["openai"], "stt": ["openai", "embedded"]}, True)],
)
def test_hindi_is_for_calls_whose_services_know_it(raw: dict[str, Any], speaks: bool) -> None:
    made = services(**raw, services={"openai": {"base_url": "http://127.0.0.1:1/v1"}})
    assert (made.speaks("hi-IN"), made.speaks("en-IN")) == (speaks, True)
