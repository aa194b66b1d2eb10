"""Models that need neither a key nor a network. Each is loaded once in a worker and shared by its calls."""

import contextlib
import ctypes
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import soxr

from exotel_ws.ai.embedded.backlog import Backlog
from exotel_ws.ai.embedded.expected import Expected
from exotel_ws.ai.embedded.reading import Reading
from exotel_ws.ai.embedded.recognition import Recognition
from exotel_ws.ai.embedded.silero import Silero
from exotel_ws.ai.embedded.speakable import bounded, parts, sayable, speakable
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.hearing.captions import uncaptioned
from exotel_ws.ai.remarks import Meaning

STT_RATE: Final = 16000
TTS_RATE: Final = 24000
_M_ARENA_MAX: Final = -8
"""M_ARENA_MAX of malloc.h."""

_QUIET: Final = bytes(2 * STT_RATE // 10)
"""0.1 s of silence after each utterance: without it, more of the last words were wrong."""
_FRAME: Final = STT_RATE // 50
_SHORTEST: Final = 5
_SOFT: Final = 0.1
"""Samples in 20 ms, most of these in which a sound is too short for a word, and share of its loudest one that is sound."""
_OF_NOISE: Final = frozenset(
    ["you", "them", "the", "that", "then", "and", "i", "a", "oh", "ah", "uh", "um", "huh", "hm", "hmm", "mm", "well"]
)
"""Words that the model writes for noises. Alone they mean nothing."""
_SURE: Final = 0.2
"""Least likelihood of a single word: of 45 that were right the least was 0.22, of hums at most 0.19."""
_WORDS: Final = re.compile(r"[a-z0-9']+")
_NO_SOUND: Final = "ˈˌː"
"""Marks of stress and length."""
_AUDIBLE: Final = 0.01
"""Least amplitude of sound, of full scale; hibari's own pauses are a tenth of it."""
_BEFORE_S: Final = 0.02
_AFTER_S: Final = 0.25
"""Seconds of silence left around a sentence. hibari makes 0.3 s and 0.4 s, and the first delays each answer."""
_NICER: Final = 5
"""Niceness of the turn model beyond that of the loop: of a core that both want, the loop has three quarters."""
_HEARD_AT_ONCE: Final = 2
"""Utterances that are recognised at once: where another core is free, those who speak together wait half as long."""
_FIRST: Final = "Hello. You can ask for our opening hours, or for your order."
_SILENT_TURN: Final = np.zeros((1, 80, 800), np.float32)
"""Features of silence, as the turn model takes them."""
_WARM_S: Final = 30.0
"""Seconds in which all threads begin, on a busy machine."""
_KEPT: Final = 32
"""Sentences, of 0.1 MB each as most are."""


class Recogniser:
    """moonshine tiny-en, English, 16 kHz. What is recognised depends on nothing that was recognised before, or is meanwhile."""

    def __init__(self) -> None:
        from exotel_ws.ai.embedded.moonshine import Moonshine

        with resources.as_file(resources.files("moonshine_voice") / "assets" / "tiny-en") as folder:
            self._model = Moonshine(folder)
        self._any_topic = self.topic((), lambda _text: "something")

    def topic(self, phrases: Iterable[str], meaning: Callable[[str], Meaning]) -> Topic:
        """Return a topic of which callers say ``phrases``. ``meaning``: see `Topic`. Blocks for a tenth of a second."""
        return Topic(Expected((phrase for phrase in phrases if sayable(phrase)), self._model.tokens), meaning)

    def recognise(self, pcm: bytes, topic: Topic | None = None) -> str:
        """Return the words in ``pcm``, PCM16 little-endian mono at 16 kHz; empty if there are none. Blocks; use a thread.

        If they are not likely, or mean nothing to the bot's ``topic``, better ones are looked for, which takes twice as long.
        """
        samples = np.frombuffer(pcm + _QUIET, "<i2").astype(np.float32) / np.float32(32768)
        loudness = np.abs(samples[: len(samples) // _FRAME * _FRAME]).reshape(-1, _FRAME).mean(axis=1)
        if np.count_nonzero(loudness > _SOFT * loudness.max()) <= _SHORTEST:
            return ""
        speech = self._model.hear(samples)
        first = speech.likeliest()
        if _is_noise(first):
            return ""
        topic = topic or self._any_topic
        if uncaptioned(first.text) != first.text or not topic.doubts(first):
            return first.text  # of music, all readings are in vain
        return topic.best([first, *(each for each in speech.search(topic.expected) if not _is_noise(each))]).text


def _is_noise(reading: Reading) -> bool:
    words = _WORDS.findall(reading.text.lower())
    return not words or (len(words) == 1 and (words[0] in _OF_NOISE or math.exp(reading.first) < _SURE))


class Speaker:
    """hibari, a voice for English, 24 kHz. Calls share one behind a lock."""

    def __init__(self) -> None:
        from hibari import Hibari

        self._hibari = Hibari()
        self._lock = threading.Lock()
        self._sound = lru_cache(_KEPT)(self._made)

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
        """Return one of `pieces` as PCM16 little-endian mono at 24 kHz. Blocks; call it in a thread.

        The `_KEPT` sentences said last are kept: a flow says the same ones again and again.
        """
        with self._lock:
            return self._sound(piece)

    def _made(self, piece: str) -> bytes:
        return bytes((np.clip(_trimmed(self._hibari(piece, seed=0)), -1, 1) * 32767).astype("<i2").tobytes())


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
        self.voice = Silero(SileroVADAnalyzer()._model.session)
        # One thread each for all calls: onnxruntime keeps memory for each thread that it was ever called from.
        self.turn_executor = ThreadPoolExecutor(1, "turn", give_way)
        self.backlog = Backlog()
        self.voice_executor = ThreadPoolExecutor(1, "voice")
        # The first time takes longest, and takes memory that is kept.
        self.turn_executor.submit(self.session.run, None, {"input_features": _SILENT_TURN}).result()


def give_way() -> None:
    """Let this thread compute only while the loop, which plays and hears, leaves time: it can only shorten a wait.

    Linux counts the niceness of each thread by itself; elsewhere it is the whole process's, and stays.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICER)


@dataclass(frozen=True)
class Models:
    """Models that the calls of a worker share.

    Each has one thread, as a worker has one core and memory is kept for each thread; the recogniser has `_HEARD_AT_ONCE`.
    """

    recogniser: Recogniser
    speaker: Speaker
    turn_model: TurnModel
    recognition: Recognition
    tts_executor: Executor

    @classmethod
    def load(cls) -> Self:
        """Load all models. Blocks for seconds; call it in a thread."""
        _keep_few_arenas()
        recogniser, speaker, hearing = Recogniser(), Speaker(), ThreadPoolExecutor(_HEARD_AT_ONCE, "stt")
        _warm(recogniser, speaker.speak(_FIRST, STT_RATE), hearing)
        recognition = Recognition(recogniser, hearing, _HEARD_AT_ONCE)
        return cls(recogniser, speaker, TurnModel(), recognition, ThreadPoolExecutor(1, "tts"))


def _warm(recogniser: Recogniser, pcm: bytes, hearing: Executor) -> None:
    """Recognise ``pcm`` in all threads of ``hearing`` at once: the first time takes longest, and takes memory that is kept."""
    nothing = recogniser.topic((), lambda _text: "nothing")
    together = threading.Barrier(_HEARD_AT_ONCE)

    def hear(_number: int) -> str:
        together.wait(_WARM_S)
        return recogniser.recognise(pcm, nothing)

    list(hearing.map(hear, range(_HEARD_AT_ONCE)))


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
