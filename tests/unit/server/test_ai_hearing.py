"""High-pass, noise floor and gain before the detector, and utterances cut where they end."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from exotel_ws.ai.hearing import detector
from exotel_ws.ai.hearing.caller import CallerLevel
from exotel_ws.ai.hearing.detector import Hearing, VoiceDetector
from exotel_ws.ai.hearing.echo import Played
from exotel_ws.ai.hearing.floor import Floor
from exotel_ws.ai.hearing.frames import HushFrame, SpeechBeginFrame, SpeechCutFrame, SpeechEndFrame
from exotel_ws.ai.hearing.gain import Gain
from exotel_ws.ai.hearing.windows import RATE, SILENCE_DB, WINDOW, WINDOW_S, HighPass, Window, level, pcm16, windows
from exotel_ws.ai.settings import Turns
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import Frame, InputAudioRawFrame, VADUserStartedSpeakingFrame


def tone(pitch: float, db: float, number: int) -> Window:
    """Return windows of a tone at a level in dB of full scale."""
    amplitude = np.sqrt(2) * 10 ** (db / 20)
    made = amplitude * np.sin(2 * np.pi * pitch * np.arange(number * WINDOW) / RATE)
    return made.astype(np.float32).reshape(-1, WINDOW)


def passed(sound: Window) -> Window:
    high_pass = HighPass()
    return np.concatenate([high_pass(window) for window in sound])


@pytest.mark.parametrize(("pitch", "change_db"), [(20, -24), (80, -3), (200, -0.1), (1000, 0), (3400, 0)])
def test_the_high_pass_takes_out_what_is_lower_than_a_voice(pitch: float, change_db: float) -> None:
    sound = tone(pitch, -20, 32)

    rest = passed(sound)[16 * WINDOW :]

    assert level(rest) - level(sound.ravel()[16 * WINDOW :]) == pytest.approx(change_db, abs=0.6)


def test_an_offset_is_gone_within_a_tenth_of_a_second_and_no_seam_between_windows_is_heard() -> None:
    rest = passed(np.full((32, WINDOW), 0.1, np.float32))

    assert np.abs(rest[RATE // 10 :]).max() < 1e-4


def test_levels_are_of_full_scale_and_silence_has_one_too() -> None:
    assert level(tone(440, -20, 1)[0]) == pytest.approx(-20, abs=0.2)
    assert level(np.zeros(WINDOW, np.float32)) == SILENCE_DB
    assert windows(pcm16(np.array([2.0] * WINDOW, np.float32))).max() == pytest.approx(1.0, abs=1e-3)


def test_the_floor_is_what_remains_between_words() -> None:
    floor = Floor()
    for number in range(250):
        floor.take(-20.0 if number % 25 < 20 else -60.0)

    assert floor.level == -60


def amplified(sound: Window, floor: float = -90.0, caller: float | None = None, gain: Gain | None = None) -> Window:
    gain = gain or Gain()
    return np.concatenate([gain(window, level(window), floor, caller) for window in sound])


@pytest.mark.parametrize("db", [-30, -45, -58])
def test_a_soft_voice_becomes_as_loud_as_others_within_a_window(db: float) -> None:
    made = amplified(tone(440, db, 8))

    assert level(made[WINDOW:]) == pytest.approx(-24, abs=0.2)


def test_a_loud_voice_is_left_alone_and_nothing_is_clipped() -> None:
    loud = tone(440, -12, 4)
    assert np.array_equal(amplified(loud), loud.ravel())

    gain = Gain()
    amplified(tone(440, -58, 8), gain=gain)
    burst = amplified(tone(440, -10, 1), gain=gain)

    assert np.abs(burst).max() <= 0.901


@pytest.mark.parametrize(("floor", "most"), [(-50.0, -48.0), (-40.0, -40.0), (-70.0, -48.0)])
def test_noise_is_not_made_into_speech_for_a_soft_callers_sake(floor: float, most: float) -> None:
    noise = tone(440, floor, 8)

    assert level(amplified(noise, floor, caller=-60.0)[WINDOW:]) <= most + 0.1
    assert np.array_equal(amplified(noise, floor), noise.ravel()), "what does not stand out is not amplified"


def test_the_gain_has_no_steps() -> None:
    gain, same = Gain(), np.full(WINDOW, 0.001, np.float32)

    made = np.concatenate([gain(same, -60.0, -90.0, caller) for caller in (-30.0, -30.0, -58.0, -58.0, -30.0)])

    assert made.max() > 0.04
    assert np.abs(np.diff(made)).max() < 0.0002


def theirs(caller: CallerLevel, *spoken: tuple[float, float], floor: float = -80.0) -> list[float]:
    """Let voices sound, each so many seconds at a level in dB of full scale. Return for how many seconds each is the caller's."""
    return [
        round(sum(caller.is_theirs(True, db, floor) for _ in range(round(seconds / WINDOW_S))) * WINDOW_S, 1)
        for seconds, db in spoken
    ]


def test_a_voice_far_below_the_callers_is_not_theirs_and_does_not_become_it_while_they_speak() -> None:
    turns = theirs(CallerLevel(), (1, -20), *((3, -40), (1, -20)) * 5)

    assert turns[0::2] == pytest.approx([1] * 6, abs=0.1)
    assert turns[1::2] == pytest.approx([0.2] * 5, abs=0.1), "but for the tenth of a second in which a level is taken"


def test_a_caller_who_turns_softer_is_heard_again_and_at_once_where_it_is_only_a_little() -> None:
    caller = CallerLevel()

    assert theirs(caller, (1, -20), (2, -30)) == pytest.approx([1, 2], abs=0.1)
    assert theirs(caller, (1, -20), (6, -45)) == pytest.approx([1, 2], abs=0.3)
    assert theirs(caller, (6, -45)) == pytest.approx([6], abs=0.1)


def test_silence_between_words_counts_neither_for_nor_against_a_voice() -> None:
    caller = CallerLevel()
    theirs(caller, (1, -20))
    for _ in range(500):
        assert not caller.is_theirs(False, -40.0, -80.0)

    assert theirs(caller, (0.2, -40), (1, -20)) == pytest.approx([0, 1], abs=0.1)


def test_loud_words_of_somebody_who_is_known_are_not_the_callers_either() -> None:
    caller = CallerLevel()

    def after_a_pause(db: float) -> float:
        for _ in range(10):
            caller.is_theirs(False, -80.0, -80.0)
        return theirs(caller, (0.5, db))[0]

    theirs(caller, (1, -20))
    assert after_a_pause(-31) == pytest.approx(0.5, abs=0.1), "as the caller's own soft words are"
    theirs(caller, (1, -20), (2, -38), (1, -20))
    assert after_a_pause(-31) < 0.2
    assert after_a_pause(-26) == pytest.approx(0.5, abs=0.1)


def test_who_speaks_beside_the_caller_while_the_bot_does_never_becomes_the_caller() -> None:
    caller = CallerLevel()
    theirs(caller, (1, -20))

    beside = [caller.is_theirs(True, -40.0, -80.0, over=True) for _ in range(round(30 / WINDOW_S))]

    assert sum(beside) * WINDOW_S < 0.3
    assert theirs(caller, (6, -40))[0] > 1, "but who is softer and answers is heard after a while"


def test_a_crowd_is_nobody_but_who_stands_out_of_it_is_heard() -> None:
    caller = CallerLevel()

    crowd, others = theirs(caller, (1, -35), (1, -34), floor=-38.0)
    assert crowd < 0.6, "until it is known to be one"
    assert others == 0
    assert theirs(caller, (1, -22), (2, -34), floor=-38.0) == pytest.approx([1, 0.2], abs=0.15)


def test_a_caller_who_hardly_stands_above_a_motor_is_heard() -> None:
    caller = CallerLevel()
    for _ in range(200):
        caller.is_theirs(False, -35.0, -36.0)

    assert theirs(caller, (2, -31), floor=-36.0) == pytest.approx([2], abs=0.1)


class Judged(VoiceDetector):
    """Detector that takes what is loud for a voice."""

    def __init__(self) -> None:
        super().__init__(SimpleNamespace(voice=SileroVADAnalyzer()._model, voice_executor=None))  # type: ignore[arg-type]

    def is_voice(self, window: Window) -> bool:
        return level(window) > -40


SAYING = {
    SpeechBeginFrame: "starts",
    SpeechEndFrame: "stops",
    HushFrame: "pauses or goes on",
    SpeechCutFrame: "is cut",
}


def kinds(frames: list[Frame]) -> list[str]:
    """Return the frames in words: seconds of audio, and what they say."""
    told: list[Any] = []
    for frame in frames:
        if isinstance(frame, InputAudioRawFrame):
            seconds = len(frame.audio) / 2 / RATE
            if told and isinstance(told[-1], float):
                told[-1] += seconds
            else:
                told.append(seconds)
        else:
            told.append(SAYING[type(frame)])
    return [each if isinstance(each, str) else f"{each:.2f}" for each in told]


def told(*spoken: tuple[int, float], recognised_after: int = 0) -> list[Frame]:
    """Return what is told beside the audio of sounds, each so many windows at a level in dB of full scale.

    What was cut is recognised so many windows after it.
    """
    hearing, found, since = Hearing(Judged(), Played(8000), lambda: 0.0, Turns(longest_s=1.0)), [], -1
    for window in np.concatenate([tone(440, db, number) for number, db in spoken]):
        frames = [frame for frame in hearing.take(pcm16(window)) if not isinstance(frame, InputAudioRawFrame)]
        found += frames
        since = 0 if any(isinstance(frame, SpeechCutFrame) for frame in frames) else since + (since >= 0)
        if since == recognised_after:
            hearing.recognised()
    return found


def test_a_pause_that_may_be_the_end_is_told_of_and_that_the_voice_goes_on() -> None:
    kinds_told = [(SAYING[type(frame)], getattr(frame, "quiet", None)) for frame in told((10, -20), (4, -70), (5, -20), (9, -70))]

    pause, goes_on = ("pauses or goes on", True), ("pauses or goes on", False)
    assert kinds_told == [("starts", None), pause, goes_on, pause, ("stops", None)]


class Confidence:
    """Model that is as confident of a voice as it is told, a window after the other."""

    def __init__(self, told: list[float]) -> None:
        self._told = iter(told)

    def __call__(self, _window: Window, _rate: int) -> Any:
        return np.array([next(self._told)])

    def reset_states(self) -> None: ...


@pytest.mark.parametrize(
    ("confidence", "begins_after"),
    [
        ([0.95] * 10, 3),
        ([0.8] * 10, 6),
        ([0.8, 0.8, 0.95, 0.95, 0.95], 5),
        ([0.95, 0.95, 0.8, 0.95, 0.95, 0.8], 6),
        ([0.95, 0.95, 0.2] * 10, None),
        ([0.95, 0.95, 0.8, 0.8, 0.75, 0.3] * 4, None),
        ([0.99] + [0.1] * 9, None),
    ],
    ids=["clear", "doubtful", "soon clear", "hardly clear", "laughter", "coughs", "a knock"],
)
def test_a_clear_voice_is_heard_sooner_than_a_doubtful_one_and_bursts_are_not(
    confidence: list[float], begins_after: int | None
) -> None:
    model = SimpleNamespace(voice=Confidence(confidence), voice_executor=None)
    voices = VoiceDetector(model)  # type: ignore[arg-type]

    begun = [at for at, _ in enumerate(confidence, 1) if voices.changes(voices.is_voice(tone(440, -20, 1)[0]))]

    assert begun[:1] == ([begins_after] if begins_after else [])


@pytest.mark.parametrize(("confidence", "began_s"), [(0.95, 3 * WINDOW_S), (0.8, 6 * WINDOW_S)], ids=["clear", "doubtful"])
def test_the_beginning_of_speech_is_told_with_the_seconds_that_it_took_to_notice(confidence: float, began_s: float) -> None:
    model = SimpleNamespace(voice=Confidence([confidence] * 10), voice_executor=None)
    hearing = Hearing(VoiceDetector(model), Played(8000), lambda: 0.0)  # type: ignore[arg-type]

    frames = list(hearing.take(pcm16(tone(440, -20, 10).ravel())))

    starts = [frame.start_secs for frame in frames if isinstance(frame, VADUserStartedSpeakingFrame)]
    assert starts == [pytest.approx(began_s)]


@pytest.mark.parametrize(("caller_db", "began_s"), [(-12, 3 * WINDOW_S), (-20, 6 * WINDOW_S)], ids=["as loud", "softer"])
def test_a_voice_as_soft_as_an_echo_of_the_bots_is_not_heard_sooner(caller_db: int, began_s: float) -> None:
    played, model = Played(8000), SimpleNamespace(voice=Confidence([0.95] * 10), voice_executor=None)
    played.sent(0.0, pcm16(tone(440, -6, 32).ravel()))
    hearing = Hearing(VoiceDetector(model), played, lambda: 0.4)  # type: ignore[arg-type]

    frames = list(hearing.take(pcm16(tone(440, caller_db, 10).ravel())))

    starts = [frame.start_secs for frame in frames if isinstance(frame, VADUserStartedSpeakingFrame)]
    assert starts == [pytest.approx(began_s)]


class Lingering(Judged):
    """Detector that hears a voice for five windows longer than it sounds, as real ones do."""

    left = 0

    def is_voice(self, window: Window) -> bool:
        self.left = 5 if super().is_voice(window) else self.left - 1
        return self.left > 0


def test_the_last_sound_is_that_of_an_ear_and_not_of_the_detector() -> None:
    clock = [100.0]
    hearing = Hearing(Lingering(), Played(8000), lambda: clock[0])
    ends: list[SpeechEndFrame] = []
    for window in np.concatenate([tone(440, -70, 30), tone(440, -20, 30), tone(440, -70, 20)]):
        clock[0] += WINDOW_S
        ends += [frame for frame in hearing.take(pcm16(window)) if isinstance(frame, SpeechEndFrame)]

    assert [frame.silent_s for frame in ends] == [pytest.approx(detector.STOP_S + 3 * WINDOW_S, abs=1.2 * WINDOW_S)]


def test_speech_that_does_not_end_is_cut_and_begins_anew_after_a_while() -> None:
    times = [SAYING[type(frame)] for frame in told((round(3.6 / WINDOW_S), -20))]

    assert times == ["starts", "is cut", "starts", "is cut"], "1 s is heard, for 1 s nothing is, so that its turn ends"


@pytest.mark.parametrize(("recognised_after_s", "times"), [(1.8, 2), (9.0, 1)])
def test_speech_that_was_cut_goes_on_once_its_words_have_come_or_after_a_while(recognised_after_s: float, times: int) -> None:
    spoken = (round(4.0 / WINDOW_S), -20)

    starts = [
        frame
        for frame in told(spoken, recognised_after=round(recognised_after_s / WINDOW_S))
        if isinstance(frame, VADUserStartedSpeakingFrame)
    ]

    assert len(starts) == times


@pytest.mark.parametrize("piece", [WINDOW * 2 * 100, 1920, 2, 6])
def test_an_utterance_is_cut_where_it_begins_and_ends_however_its_audio_comes(piece: int) -> None:
    quiet, voice = np.zeros((20, WINDOW), np.float32), tone(440, -20, 20)
    pcm = pcm16(np.concatenate([quiet, voice, quiet, voice[:3], quiet, quiet[:5]]))
    hearing = Hearing(Judged(), Played(8000), lambda: 0.0, Turns(early=False))

    frames = [frame for at in range(0, len(pcm), piece) for frame in hearing.take(pcm[at : at + piece])]

    starts_s, stops_s = (round(after / detector.WINDOW_S) * detector.WINDOW_S for after in (detector.START_S, detector.STOP_S))
    assert kinds(frames) == [
        f"{20 * 0.032 + starts_s:.2f}",
        "starts",
        f"{20 * 0.032 - starts_s + stops_s:.2f}",
        "stops",
        f"{48 * 0.032 - stops_s:.2f}",
    ]


SOFT, LOUD, QUIET = (40, -42.0), (40, -20.0), (40, -80.0)


def utterances(*spoken: tuple[int, float], bot_s: float = 0.0) -> tuple[list[list[float]], float]:
    """Return the level of each tenth of a second in each utterance, and the seconds of audio that were told in all.

    Sounds are each so many windows at a level in dB of full scale. The bot speaks for the first ``bot_s`` seconds.
    """
    clock, played = [0.0], Played(8000)
    played.sent(0.0, b"\0\0" * round(bot_s * 8000))
    hearing, found, seconds = Hearing(Judged(), played, lambda: clock[0], Turns(early=False)), [], 0.0
    speaks = False
    for window in np.concatenate([tone(440, db, number) for number, db in spoken]):
        clock[0] += WINDOW_S
        for frame in hearing.take(pcm16(window)):
            if isinstance(frame, VADUserStartedSpeakingFrame):
                found.append([])
                speaks = True
            elif isinstance(frame, SpeechEndFrame):
                speaks = False
            elif isinstance(frame, InputAudioRawFrame):
                seconds += len(frame.audio) / 2 / RATE
                if speaks:
                    found[-1].append(level(windows(frame.audio).ravel()))
    return found, seconds


def test_a_soft_voice_before_the_callers_is_somebody_elses() -> None:
    heard, seconds = utterances(SOFT, LOUD, QUIET)

    assert [len(each) for each in heard] == [pytest.approx(len(heard[0]))], "one utterance, the caller's"
    assert sum(db > -26 for db in heard[0]) * 0.1 == pytest.approx(LOUD[0] * WINDOW_S - detector.START_S, abs=0.2)
    assert seconds == pytest.approx(3 * 40 * WINDOW_S, abs=0.2), "what it said is silence, and takes its time"


@pytest.mark.parametrize("bot_s", [0.0, 3.0])
def test_a_soft_voice_that_waits_for_an_answer_is_the_callers(bot_s: float) -> None:
    heard, seconds = utterances(SOFT, QUIET, (60, -80.0), bot_s=bot_s)

    assert len(heard) == 1
    assert sum(db > -26 for db in heard[0]) * 0.1 == pytest.approx(SOFT[0] * WINDOW_S - detector.START_S, abs=0.2)
    assert seconds == pytest.approx(140 * WINDOW_S, abs=0.5), "but what is in no frame yet, which are long in a silence"


def test_a_caller_who_is_soft_waits_once_and_the_pause_is_told_as_long_as_it_was() -> None:
    clock = [0.0]
    hearing = Hearing(Judged(), Played(8000), lambda: clock[0], Turns(early=False))
    ends: list[tuple[float, float]] = []
    for window in np.concatenate([tone(440, db, number) for number, db in (SOFT, QUIET, SOFT, QUIET)]):
        clock[0] += WINDOW_S
        ends += [
            (round(clock[0], 1), frame.stop_secs) for frame in hearing.take(pcm16(window)) if isinstance(frame, SpeechEndFrame)
        ]

    assert ends == [
        (pytest.approx(SOFT[0] * WINDOW_S + 0.8, abs=0.2), pytest.approx(0.8, abs=0.2)),
        (pytest.approx(120 * WINDOW_S + 0.2, abs=0.2), detector.STOP_S),
    ]


@pytest.mark.parametrize(("bot_s", "times"), [(0.0, 1), (30.0, 0)])
def test_who_speaks_softly_without_end_is_the_caller_unless_the_bot_speaks(bot_s: float, times: int) -> None:
    assert len(utterances(*((8, -42.0), (2, -80.0)) * round(7 / WINDOW_S / 10), bot_s=bot_s)[0]) == times


def test_a_voice_of_usual_loudness_is_held_back_by_nothing() -> None:
    hearing, number = Hearing(Judged(), Played(8000), lambda: 0.0), 0
    for window in tone(440, -30, 40):
        number += 1
        if any(isinstance(frame, VADUserStartedSpeakingFrame) for frame in hearing.take(pcm16(window))):
            break

    assert number == round(detector.START_S / WINDOW_S)


def room(db: float, *, voices: int) -> Window:
    """Return ten seconds of noise at a level in dB of full scale: of so many voices, syllable by syllable; 0: of a motor."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1, 10 * RATE)
    if voices:
        size = int(0.16 * RATE)
        noise = sum(
            rng.normal(0, 1, 10 * RATE) * np.repeat(rng.choice([0.1, 0.3, 1.0], 10 * RATE // size + 1), size)[: 10 * RATE]
            for _ in range(voices)
        )
    return np.asarray(noise / np.sqrt(np.mean(noise**2)) * 10 ** (db / 20), np.float32)


@pytest.mark.parametrize(("db", "voices", "clamour"), [(-32, 6, True), (-32, 0, False), (-26, 0, False), (-50, 6, False)])
def test_a_room_of_voices_is_told_from_a_motor_by_how_it_varies(db: float, voices: int, clamour: bool) -> None:
    hearing = Hearing(Judged(), Played(8000), lambda: 0.0)
    list(hearing.take(pcm16(tone(440, -20, 40).ravel())))

    list(hearing.take(pcm16(room(db, voices=voices))))

    assert hearing.noisy() is (db > -40)
    assert hearing.clamour() is clamour


@pytest.mark.parametrize(
    ("noise_db", "caller_db", "noisy"), [(-34, -20, True), (-60, -20, False), (-40, None, True), (-70, None, False)]
)
def test_a_line_is_noisy_where_the_noise_is_not_far_below_the_caller(
    noise_db: float, caller_db: float | None, noisy: bool
) -> None:
    hearing = Hearing(Judged(), Played(8000), lambda: 0.0)
    rng = np.random.default_rng(1)
    if caller_db is not None:
        list(hearing.take(pcm16(tone(440, caller_db, 40).ravel())))
    noise = rng.normal(0, 10 ** (noise_db / 20), 200 * WINDOW).astype(np.float32)

    list(hearing.take(pcm16(noise)))

    assert hearing.noisy() is noisy


class Asked(Judged):
    """Detector that counts how often it is asked."""

    asked = 0

    def is_voice(self, window: Window) -> bool:
        self.asked += 1
        return super().is_voice(window)


def test_a_silence_that_lasts_costs_no_voice_detection_and_a_voice_after_it_is_heard_at_once() -> None:
    asked = Asked()
    hearing = Hearing(asked, Played(8000), lambda: 0.0, Turns(early=False))
    voice, silence, noise = tone(440, -20, 20), np.zeros((100, WINDOW), np.float32), tone(440, -60, 20)

    frames = [frame for window in np.concatenate([voice, silence, voice, noise]) for frame in hearing.take(pcm16(window))]

    starts_s, stops_s = (round(after / WINDOW_S) * WINDOW_S for after in (detector.START_S, detector.STOP_S))
    assert kinds(frames)[:7] == [
        f"{starts_s:.2f}",
        "starts",
        f"{20 * WINDOW_S - starts_s + stops_s:.2f}",
        "stops",
        f"{100 * WINDOW_S - stops_s + starts_s:.2f}",
        "starts",
        f"{20 * WINDOW_S - starts_s + stops_s:.2f}",
    ]
    assert 60 < asked.asked <= 60 + 40, "what can be heard, and a second of the silence"


def asked_of_noise(varies_db: float) -> tuple[Asked, Hearing]:
    """Let ten seconds of noise sound whose level varies by so many dB from window to window."""
    rng, asked = np.random.default_rng(1), Asked()
    hearing = Hearing(asked, Played(8000), lambda: 0.0, Turns(early=False))
    noise = rng.normal(0, 10 ** (-50 / 20), (310, WINDOW)) * 10 ** (rng.normal(0, varies_db, (310, 1)) / 20)
    for window in noise.astype(np.float32):
        list(hearing.take(pcm16(window)))
    return asked, hearing


def test_a_steady_noise_costs_no_voice_detection_either_and_a_voice_above_it_is_heard_as_soon() -> None:
    asked, hearing = asked_of_noise(varies_db=0.3)
    assert 120 < asked.asked < 170, "until the floor is known, and a second more"

    begun = [
        at
        for at, window in enumerate(tone(440, -30, 10), 1)
        for frame in hearing.take(pcm16(window))
        if isinstance(frame, VADUserStartedSpeakingFrame)
    ]
    assert begun == [round(detector.START_S / WINDOW_S)]


def test_a_noise_that_varies_as_voices_do_is_listened_to_all_the_time() -> None:
    assert asked_of_noise(varies_db=5.0)[0].asked == 310


def test_frames_are_longer_in_a_silence_in_which_nobody_waits_for_their_end() -> None:
    hearing, silence = Hearing(Judged(), Played(8000), lambda: 0.0), np.zeros((100, WINDOW), np.float32)
    sound = np.concatenate([tone(440, -20, 20), silence, tone(440, -60, 20)])

    lengths_s = [
        round(len(frame.audio) / 2 / RATE, 1)
        for window in sound
        for frame in hearing.take(pcm16(window))
        if isinstance(frame, InputAudioRawFrame)
    ]

    assert lengths_s.count(0.5) == 2, "after two seconds of silence"
    assert max(lengths_s[: lengths_s.index(0.5)]) == 0.2
    assert 0.5 not in lengths_s[-2:], "and not once there is a sound again"
