"""Find a voice for the caller: AI mode's embedded speaker if it is installed, else a program of the host's."""

import importlib.util
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.talk import sound

Voice = Callable[[str, int], bytes]
"""Function of a text and a rate (Hz) that returns PCM."""

_SPEAK_S: Final = 30.0
PROGRAMS: Final = {
    "flite": ("flite", "-voice", "slt", "-t", "{text}", "-o", "{file}"),
    "espeak-ng": ("espeak-ng", "-v", "en-us", "-s", "150", "-w", "{file}", "--", "{text}"),
}
"""English voices of Debian's packages of the same names."""
NAMES: Final = ("embedded", *PROGRAMS)


def pick(name: str = "") -> tuple[str, Voice]:
    """Return the voice ``name``, by default the first installed, with its name.

    Raises UsageFault for an unknown name, Refusal if there is none.
    """
    if name and name not in NAMES:
        raise UsageFault(f"--voice {name}: one of {', '.join(NAMES)}")
    for each in (name,) if name else NAMES:
        if each == "embedded" and installed("exotel_ws", "hibari", "numpy", "soxr"):
            from exotel_ws.ai.embedded.models import Speaker

            return each, Speaker().speak
        if each in PROGRAMS and shutil.which(each):
            return each, _program(PROGRAMS[each])
    what = name if name in PROGRAMS else "flite"
    ways = f"apt-get install {what}" if name != "embedded" else ""
    ai = "pip install 'exotel-voicebot[ai]'" if name not in PROGRAMS else ""
    raise Refusal(f"no voice to say it with: {' or '.join(filter(None, (ways, ai)))}; or file:WAV, a recording of your own")


def installed(*modules: str) -> bool:
    """Return True if all ``modules`` can be imported."""
    return all(map(importlib.util.find_spec, modules))


def _program(command: tuple[str, ...]) -> Voice:
    def speak(text: str, rate: int) -> bytes:
        with tempfile.TemporaryDirectory(prefix="exotelctl-") as folder:
            file = Path(folder, "said.wav")
            _run([part.format(text=text, file=file) for part in command])
            with wave.open(str(file), "rb") as wav:
                has, pcm = wav.getframerate(), wav.readframes(wav.getnframes())
        return sound.resample(pcm, has, rate)

    return speak


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SPEAK_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(f"{command[0]} can't speak: {error}") from None
    if done.returncode != 0:
        raise Refusal(f"{command[0]} can't speak: {done.stderr.strip()[-200:] or f'it ended with {done.returncode}'}")
