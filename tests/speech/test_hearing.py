"""Utterances that reach the recogniser: the caller's beside a second talker and in a crowd, at any level."""

from collections.abc import Iterator

import numpy as np
import pytest
import soxr
from exotel_ws.ai.embedded.models import Recogniser, Speaker, TurnModel
from exotel_ws.ai.hearing.detector import Hearing, VoiceDetector
from exotel_ws.ai.hearing.echo import Played
from exotel_ws.ai.hearing.windows import RATE
from pipecat.frames.frames import InputAudioRawFrame, VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame

from .sounds import Echo, babble, long, louder, over, pcm16, samples
from .telephone import LINE_RATE, MISSING, line, said

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no voices to call with: scripts/apt-need {' '.join(MISSING)}")

CALLER = "flite rms"
ASKED = ("What are your opening hours?", "Where is my order?", "When are you open?", "Are you open on Sunday?")
KNOWN_BY = ("opening hours", "my order", "are you open", "open on sunday")
CHATTER = "The weather will be fine tomorrow with some clouds in the evening, and then the train left at half past nine."
CROWD = ("flite kal16", "flite awb", "flite slt", "espeak en-us", "espeak en-gb+f3", "espeak en-us+m3")
WELCOME = "Hello, and welcome. You can ask for our opening hours, your order, or an agent. How can I help?"
PIECE = 1920
BEFORE = 2 * RATE * 4 // 5
"""Bytes of the 0.8 s before an utterance that the recogniser is given with it."""


@pytest.fixture(scope="module")
def models() -> tuple[Recogniser, TurnModel]:
    return Recogniser(), TurnModel()


def resampled(pcm: bytes, has: int = RATE, rate: int = LINE_RATE) -> bytes:
    return bytes(soxr.resample(np.frombuffer(pcm, "<i2"), has, rate).astype("<i2").tobytes())


def asked(*, pause_s: float = 2.5) -> bytes:
    return b"".join(bytes(int(pause_s * RATE) * 2) + said(text, CALLER) for text in ASKED) + bytes(RATE * 3)


def heard(models: tuple[Recogniser, TurnModel], pcm: bytes) -> Iterator[str]:
    """Yield the text of each utterance that has begun and ended in ``pcm``."""
    recogniser, model = models
    hearing, sound, speaks = Hearing(VoiceDetector(model), Played(8000), lambda: 0.0), bytearray(), False
    for at in range(0, len(pcm), PIECE):
        for frame in hearing.take(pcm[at : at + PIECE]):
            if isinstance(frame, InputAudioRawFrame):
                sound += frame.audio
                if not speaks:
                    del sound[:-BEFORE]
            elif isinstance(frame, VADUserStartedSpeakingFrame):
                speaks = True
            elif isinstance(frame, VADUserStoppedSpeakingFrame):
                yield recogniser.recognise(bytes(sound)).lower()
                sound.clear()
                speaks = False


@pytest.mark.parametrize("db", [0, -34])
def test_a_callers_questions_are_as_many_utterances(models: tuple[Recogniser, TurnModel], db: float) -> None:
    texts = list(heard(models, louder(asked(), db)))

    assert [known in text for known, text in zip(KNOWN_BY, texts, strict=True)].count(True) >= 3, texts


@pytest.mark.parametrize("ratio_db", [16, 20, 26])
def test_a_second_talker_is_not_heard_as_the_caller(models: tuple[Recogniser, TurnModel], ratio_db: float) -> None:
    caller = asked()
    other = long(said(CHATTER, "flite slt"), len(caller) / 2 / RATE, RATE)

    texts = list(heard(models, over(other, caller, ratio_db, RATE)))

    assert len(texts) == len(ASKED), texts
    assert [known in text for known, text in zip(KNOWN_BY, texts, strict=True)].count(True) >= 3, texts
    assert not any(word in " ".join(texts) for word in ("weather", "evening", "train")), (
        "said before the caller had said anything, too"
    )


def test_questions_in_a_crowd_end_where_the_caller_ends_them(models: tuple[Recogniser, TurnModel]) -> None:
    caller = asked(pause_s=5)
    crowd = babble([said(CHATTER, voice) for voice in CROWD], len(caller) / 2 / RATE, RATE)

    texts = list(heard(models, over(crowd, caller, 10, RATE)))

    assert 4 <= len(texts) <= 8, texts


@pytest.mark.parametrize("ratio_db", [5, 10])
def test_questions_beside_a_motor_are_as_many_utterances(models: tuple[Recogniser, TurnModel], ratio_db: float) -> None:
    caller = asked()
    hiss = np.fft.rfft(np.random.default_rng(3).normal(0, 0.1, len(caller) // 2))
    pitch = np.fft.rfftfreq(len(caller) // 2, 1 / RATE)
    motor = pcm16(np.fft.irfft(np.where(pitch < 100, 0, hiss / (1 + pitch / 300)), len(caller) // 2))

    assert len(list(heard(models, over(motor, caller, ratio_db, RATE)))) == len(ASKED)


@pytest.mark.parametrize("loss_db", [20, 40])
@pytest.mark.parametrize("delay_s", [0.15, 0.25])
def test_nothing_of_the_bots_own_voice_is_left_but_a_caller_is_heard_over_it(
    models: tuple[Recogniser, TurnModel], loss_db: float, delay_s: float
) -> None:
    recogniser, model = models
    speaker, now = Speaker(), [0.0]
    played, echo = Played(LINE_RATE), Echo(LINE_RATE, loss_db, delay_s)
    hearing = Hearing(VoiceDetector(model), played, lambda: now[0])
    welcome = speaker.speak(WELCOME, LINE_RATE)
    bot = welcome + bytes(LINE_RATE * 6) + welcome
    caller = bytes(int(2.0 * LINE_RATE + len(welcome)) // 2 * 2) + resampled(said("Where is my order?", CALLER))
    for begins in (0.0, len(welcome) / 2 / LINE_RATE + 3):
        played.words.say(WELCOME, begins + len(welcome) / 2 / LINE_RATE)
    texts, sound, speaks, sent = [], bytearray(), False, 0
    for number in range(len(bot) // 960 + 50):
        while sent < len(bot) and sent / 2 / LINE_RATE < now[0] + 0.6:
            played.sent(sent / 2 / LINE_RATE, bot[sent : sent + 3200])
            echo.play(sent / 2 / LINE_RATE, bot[sent : sent + 3200])
            sent += 3200
        spoken = caller[number * 960 : number * 960 + 960].ljust(960, b"\0")
        comes = pcm16(samples(echo.back(number * 0.06, 0.06)) + samples(spoken))
        now[0] = (number + 1) * 0.06
        for frame in hearing.take(resampled(comes, LINE_RATE, RATE)):
            if isinstance(frame, InputAudioRawFrame):
                sound += frame.audio
                if not speaks:
                    del sound[:-BEFORE]
            elif isinstance(frame, VADUserStartedSpeakingFrame):
                speaks = True
            elif isinstance(frame, VADUserStoppedSpeakingFrame):
                texts.append(hearing.theirs(recogniser.recognise(bytes(sound))))
                sound.clear()
                speaks = False

    assert ["my order" in text for text in texts if text] == [True], texts


def _bursts() -> Iterator[np.ndarray]:
    """Yield knocks, clicks, coughs of breath and of voice, and a horn, each once and in a row, at `LINE_RATE`."""
    rng = np.random.default_rng(7)
    for seconds in (0.08, 0.15, 0.25, 0.4):
        time = np.arange(int(seconds * LINE_RATE)) / LINE_RATE
        breath = np.diff(rng.normal(0, 1, len(time) + 1))
        vowel = np.sum([np.sin(2 * np.pi * 140 * k * time) / (1 + abs(140 * k - 700) / 200) for k in range(1, 20)], axis=0)
        cough = np.concatenate([breath[:480], (vowel / np.abs(vowel).max() + 0.3 * breath) * np.exp(-2 * time / seconds)])
        knock = np.sin(2 * np.pi * 180 * time) * np.exp(-40 * time)
        horn = np.sign(np.sin(2 * np.pi * 400 * time)) + np.sign(np.sin(2 * np.pi * 500 * time))
        for sound in (breath * np.exp(-3 * time / seconds), cough, knock, horn, np.where(time % 0.05 < 0.005, breath, 0)):
            yield sound
            yield np.concatenate([sound, np.zeros(LINE_RATE // 5), sound])


def test_coughs_knocks_and_horns_are_no_voice(models: tuple[Recogniser, TurnModel]) -> None:
    _, model = models
    begun = []
    for number, burst in enumerate(_bursts()):
        hearing = Hearing(VoiceDetector(model), Played(8000), lambda: 0.0)
        frames = hearing.take(bytes(RATE) + line(burst, LINE_RATE) + bytes(RATE))
        begun += [number for frame in frames if isinstance(frame, VADUserStartedSpeakingFrame)]

    assert number == 39
    assert begun == []
