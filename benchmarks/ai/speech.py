"""Speech of the callers, made beforehand by voices that are not the bot's, and the expected answers."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from exotel_phone import audio
from exotel_phone.talk import sound
from exotel_phone.talk.call import Said
from exotel_phone.talk.script import Turn

APT_NEED: Final = Path(__file__).parents[2] / "scripts" / "apt-need"
VOICES: Final = ("slt", "awb", "rms")
"""Voices of Debian's flite: a woman and two men, one of them a Scot."""
RATE: Final = 8000
GREETING: Final = "Hello, how can I help?"
LONG_HOURS: Final = "We are open from nine to six, Monday to Saturday. Is there anything else?"
SHORT_HOURS: Final = "We are open from nine to six."


@dataclass(frozen=True)
class Intent:
    """Ways to ask for one thing, and a word by which its answer is known."""

    asked: tuple[str, ...]
    known_by: str


HOURS: Final = Intent(("When are you open?", "Are you open on Sunday?", "What time do you open?"), "nine to six")
"""Intent with a short answer, so that many fit into a call."""
ORDER: Final = Intent(
    ("Where is my order?", "Track my order now.", "Where is my package?", "My parcel has not arrived."), "tomorrow"
)
"""Intent with an answer that is long enough to be interrupted."""


def install_voices() -> None:
    """Install flite where it is missing. Raises CalledProcessError."""
    if not shutil.which("flite"):
        subprocess.run([APT_NEED, "flite"], check=True, timeout=300)


def flow(shipped: str) -> str:
    """Return the shipped flow with the short answer. Raises ValueError if it has changed too much for that."""
    if LONG_HOURS not in shipped:
        raise ValueError(f"the flow that ships has no text {LONG_HOURS!r} any more: see {__file__}")
    return shipped.replace(LONG_HOURS, SHORT_HOURS)


def script(intents: tuple[Intent, ...], turns: int, *, caller: int = 0) -> list[Said]:
    """Return this many turns that ask for ``intents`` by turns. Another ``caller`` has another voice and beginning."""
    voice = VOICES[caller % len(VOICES)]
    asked = [
        intent.asked[(caller + number // len(intents)) % len(intent.asked)]
        for number, intent in enumerate(islice(cycle(intents), caller, caller + turns))
    ]
    return [Said(Turn(say=text), spoken(text, voice)) for text in asked]


def answered(said: Said, heard: str) -> bool:
    """Return whether ``heard`` is the answer to ``said``."""
    intent = next(intent for intent in (HOURS, ORDER) if said.turn.say in intent.asked)
    return intent.known_by in heard.lower()


@cache
def spoken(text: str, voice: str) -> bytes:
    """Return ``text`` from its first sound to its last: PCM16 at `RATE`. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        file = Path(folder, "said.wav")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file], check=True, capture_output=True, timeout=30)
        has, pcm = audio.read_wav(file)
    return sound.trimmed(sound.resample(pcm, has, RATE), RATE)
