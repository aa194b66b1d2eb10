"""Models that need neither a key nor a network. Each is loaded once in a worker and shared by its calls."""

import ctypes
import os
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import soxr

from exotel_ws.ai.embedded.speakable import bounded, parts, sayable, speakable

STT_RATE: Final = 16000
TTS_RATE: Final = 24000
_M_ARENA_MAX: Final = -8
"""M_ARENA_MAX of malloc.h."""
_ONE_THREAD: Final = "MOONSHINE_ORT_SINGLE_THREAD"

_QUIET: Final = bytes(2 * STT_RATE // 5)
"""0.2 s of silence after each utterance. The transcriber's voice detection keeps its state between utterances: without this,
the next one, of another call, began with a "You" in 236 of 1,064."""
_REST: Final = bytes(2 * STT_RATE * 6)
"""6 s of silence before a second try if nothing was heard: a row of noises left the transcriber deaf to the next "no"."""
_OF_NOISE: Final = frozenset(
    ["you", "them", "the", "that", "then", "and", "i", "a", "oh", "ah", "uh", "um", "huh", "hm", "hmm", "mm"]
)
"""Words that the transcriber writes for noises. Alone they mean nothing."""
_NO_SOUND: Final = "ˈˌː"
"""Marks of stress and length."""
_AUDIBLE: Final = 0.01
"""Least amplitude of sound, of full scale; hibari's own pauses are a tenth of it."""
_BEFORE_S: Final = 0.02
_AFTER_S: Final = 0.25
"""Seconds of silence left around a sentence. hibari makes 0.3 s and 0.4 s, and the first delays each answer."""


class Recogniser:
    """moonshine tiny-en, English, 16 kHz.

    All calls share one transcriber behind a lock: without a lock it returns garbage, and one for each call takes 105 MB.
    """

    def __init__(self) -> None:
        from moonshine_voice import ModelArch
        from moonshine_voice.transcriber import Transcriber

        # Its threads wait for each other by spinning: one alone takes half the CPU, and on a busy host half the time.
        os.environ[_ONE_THREAD] = "1"
        with resources.as_file(resources.files("moonshine_voice") / "assets" / "tiny-en") as directory:
            self._transcriber = Transcriber(str(directory), ModelArch.TINY)
        del os.environ[_ONE_THREAD]
        self._lock = threading.Lock()

    def recognise(self, pcm: bytes) -> str:
        """Return the words in ``pcm``, PCM16 little-endian mono at 16 kHz; empty if there are none. Blocks; use a thread."""
        with self._lock:
            text = self._transcribed(pcm + _QUIET)
            if not text:
                self._transcribed(_REST)
                text = self._transcribed(pcm + _QUIET)
        return "" if text.strip(" .,!?").lower() in _OF_NOISE else text

    def _transcribed(self, pcm: bytes) -> str:
        samples = (np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0).tolist()
        transcript = self._transcriber.transcribe_without_streaming(samples, sample_rate=STT_RATE)
        return " ".join(line.text.strip() for line in transcript.lines).strip()


class Speaker:
    """hibari, a voice for English, 24 kHz. Calls share one behind a lock."""

    def __init__(self) -> None:
        from hibari import Hibari

        self._hibari = Hibari()
        self._lock = threading.Lock()

    def pieces(self, text: str) -> list[str]:
        """Return ``text`` as it can be said, sentence by sentence: the first can be heard while the others are made."""
        sentences = (each for part in parts(text) for each in self._hibari.split_sentences(speakable(part)))
        return [piece for sentence in sentences for piece in bounded(sentence)]

    def speak(self, text: str, sample_rate: int = TTS_RATE) -> bytes:
        """Return ``text`` as PCM16 little-endian mono at ``sample_rate`` Hz; empty if there is nothing to say. Blocks."""
        said = b"".join(self.say(piece) for piece in self.pieces(text))
        if sample_rate == TTS_RATE:
            return said
        return bytes(np.asarray(soxr.resample(np.frombuffer(said, "<i2"), TTS_RATE, sample_rate), "<i2").tobytes())

    def speak_whole(self, text: str, sample_rate: int = TTS_RATE) -> bytes:
        """See `speak`; empty also if a word of ``text`` is in letters that the voice has no sounds for."""
        return self.speak(text, sample_rate) if sayable(text) else b""

    def sounds(self, text: str) -> str:
        """Return ``text`` as it is spoken, one letter a sound, without stress and pauses; empty if it has no Latin letters."""
        return "".join(sound for sound in self._hibari.g2p(text) if sound.isalpha() and sound not in _NO_SOUND)

    def say(self, piece: str) -> bytes:
        """Return one of `pieces` as PCM16 little-endian mono at 24 kHz. Blocks; call it in a thread."""
        with self._lock:
            sound: Any = self._hibari(piece, seed=0)
        return bytes((np.clip(_trimmed(sound), -1, 1) * 32767).astype("<i2").tobytes())


def _trimmed(sound: Any) -> Any:
    """Return ``sound``, samples in [-1, 1] at `TTS_RATE`, with less silence around it; unchanged if nothing is audible."""
    audible = np.flatnonzero(np.abs(sound) > _AUDIBLE)
    if not audible.size:
        return sound
    begins, ends = audible[0] - int(_BEFORE_S * TTS_RATE), audible[-1] + int(_AFTER_S * TTS_RATE)
    return sound[max(0, begins) : ends]


class TurnModel:
    """Voice detector (Silero), and model of whether a caller who pauses has finished (Smart Turn v3.2).

    All calls share one session of each: a call takes 6 to 13 MB instead of 60, and its start does not hold the others up while
    a model loads.
    """

    def __init__(self) -> None:
        from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
        from pipecat.audio.vad.silero import SileroVADAnalyzer

        self.session = LocalSmartTurnAnalyzerV3()._session
        self.voice = SileroVADAnalyzer()._model
        # One thread each for all calls: onnxruntime keeps memory for each thread that it was ever called from.
        self.turn_executor = ThreadPoolExecutor(1, "turn")
        self.voice_executor = ThreadPoolExecutor(1, "voice")


@dataclass(frozen=True)
class Models:
    """Models that the calls of a worker share. Each has one thread, since a second one would only wait for its lock."""

    recogniser: Recogniser
    speaker: Speaker
    turn_model: TurnModel
    stt_executor: Executor
    tts_executor: Executor

    @classmethod
    def load(cls) -> Self:
        """Load all models. Blocks for seconds; call it in a thread."""
        _keep_few_arenas()
        return cls(Recogniser(), Speaker(), TurnModel(), ThreadPoolExecutor(1, "stt"), ThreadPoolExecutor(1, "tts"))


def _keep_few_arenas() -> None:
    """Let glibc's malloc serve all threads from two arenas; other C libraries have none.

    Memory that inference frees in one arena is of no use to the others: without this, each call added 12 MB.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


def example_flow() -> Path:
    """Return the path of the flow that ships."""
    return Path(str(resources.files("exotel_ws.ai") / "flows" / "example.yml"))
