"""The self-test of AI mode fails where speech is not understood, and quotes the words it heard."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from exotel_ws.ai import selftest
from websockets.asyncio.server import ServerConnection, serve


class Voice:
    def speak(self, text: str, rate: int) -> bytes:
        return bytes(rate // 5 * 2)


def ears(heard: str) -> Callable[[], Any]:
    """Return a recogniser that hears the same words in any sound."""

    class Ears:
        def recognise(self, pcm: bytes) -> str:
            return heard

    return Ears


@pytest.fixture
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "Speaker", Voice)


@pytest.mark.usefixtures("voice")
@pytest.mark.parametrize("heard", ["", "the quick brown fox"])
def test_a_voice_that_is_not_understood_fails_by_what_was_heard(monkeypatch: pytest.MonkeyPatch, heard: str) -> None:
    monkeypatch.setattr(selftest, "Recogniser", ears(heard))
    with pytest.raises(selftest.Misheard, match=f"said 'Your order should arrive tomorrow.', .* heard '{heard}'"):
        selftest.check_models()


@pytest.mark.usefixtures("voice")
def test_a_word_that_is_misheard_over_the_telephone_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "Recogniser", ears("Your odor should arrive tomorrow"))
    selftest.check_models()


def converse(answer_bytes: int) -> None:
    """Call a bot that greets, and answers the first sound with this many bytes a message."""

    async def bot(ws: ServerConnection) -> None:
        async def say(size: int) -> None:
            payload = base64.b64encode(bytes(size)).decode()
            await ws.send(json.dumps({"event": "media", "stream_sid": "selftest", "media": {"payload": payload}}))

        frames = 0
        async for text in ws:
            message = json.loads(text)
            if message["event"] == "start" and answer_bytes:
                await say(3200)
            frames += message["event"] == "media"
            if frames == 70:  # after the pause that ended the greeting
                await say(answer_bytes)

    async def main() -> None:
        async with serve(bot, "127.0.0.1", 0) as server, asyncio.timeout(20):
            await selftest.check_call(next(iter(server.sockets)).getsockname()[1])

    asyncio.run(main())


@pytest.mark.usefixtures("voice")
def test_the_answer_to_the_question_is_what_has_to_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "Recogniser", ears("We are open from nine to six."))
    converse(48_000)


@pytest.mark.usefixtures("voice")
def test_another_answer_fails_by_what_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "Recogniser", ears("I did not get that."))
    with pytest.raises(selftest.Misheard, match=r"opening hours\?', and said 'I did not get that\.' instead"):
        converse(48_000)


@pytest.mark.usefixtures("voice")
def test_audio_that_exotel_cannot_play_fails() -> None:
    with pytest.raises(selftest.Misheard, match="640 bytes of audio"):
        converse(640)
