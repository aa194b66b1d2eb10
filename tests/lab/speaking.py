"""Callers who speak: with voices other than the bot's, and with recordings of people from a Debian package."""

import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exotel_phone import audio
from exotel_phone.talk import sound, voice
from exotel_phone.talk.call import Said
from exotel_phone.talk.caller import Caller
from exotel_phone.talk.script import Turn
from exotel_phone.target import parse

from tests.lab.labhost import REPO

RATE: Final = 8000
_RECORDINGS: Final = Path("/usr/share/pocketsphinx/test/data/librivox")
HUMAN: Final = _RECORDINGS / "sense_and_sensibility_01_austen_64kb-0930.wav"
"""A woman reads aloud: 3.3 s of Jane Austen, as `HUMAN_WORDS`."""
HUMAN_WORDS: Final = "he might even have been made amiable himself"


def install_voices() -> None:
    """Install the callers' voices where they are missing. Raises CalledProcessError."""
    missing = [name for name, there in (("flite", shutil.which("flite")), ("pocketsphinx-testdata", HUMAN.exists())) if not there]
    if missing:
        subprocess.run([REPO / "scripts/apt-need", *missing], check=True, timeout=300)


def says(text: str) -> Said:
    """Return a turn spoken by one of flite's voices."""
    _, speak = voice.pick("flite")
    return Said(Turn(say=text), sound.trimmed(speak(text, RATE), RATE))


def plays(recording: Path) -> Said:
    """Return a turn spoken by a recording."""
    rate, pcm = audio.read_wav(recording)
    return Said(Turn(wav=recording), sound.trimmed(sound.resample(pcm, rate, RATE), RATE))


def presses(keys: str) -> Said:
    """Return a turn of keys."""
    return Said(Turn(dtmf=keys), b"")


class Interrupter(Caller):
    """Caller who interrupts one answer of the bot a given time after its beginning, and waits for the end of all others."""

    def __init__(self, url: str, script: Sequence[Said], *, interrupted: Said, after_s: float) -> None:
        super().__init__(parse(url), RATE, script, strip_query=False, barge_in_s=None)
        self._interrupted = interrupted
        self._after_s = after_s

    async def _take_turn(self, said: Said, *, last: bool) -> None:
        self._barge_in_s = self._after_s if said is self._interrupted else None
        await super()._take_turn(said, last=last)


class Keeper(Caller):
    """Caller who repeats a question until `over` is set, then says goodbye."""

    def __init__(self, url: str, question: Said, goodbye: Said) -> None:
        self._turns = [question]
        super().__init__(parse(url), RATE, self._turns, strip_query=False, barge_in_s=None)
        self._question = question
        self._goodbye = goodbye
        self.answered = threading.Event()
        self.over = threading.Event()

    async def _take_turn(self, said: Said, *, last: bool) -> None:
        # The running script is this list: it grows here.
        if said is not self._goodbye:
            again = Said(self._question.turn, self._question.pcm)
            await super()._take_turn(said, last=False)
            self._turns.append(self._goodbye if self.over.is_set() else again)
            self.answered.set()
        else:
            await super()._take_turn(said, last=True)
