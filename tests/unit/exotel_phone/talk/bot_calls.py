"""Made-up calls to bots: tones for voices, times in seconds of a clock that shows `BEGINS` as the call begins."""

import math
from array import array
from typing import Any

from exotel_phone.talk.call import Call, End, Said
from exotel_phone.talk.playback import Piece, Playback, Utterance
from exotel_phone.talk.script import Turn
from exotel_phone.talk.sound import pcm_of
from exotel_phone.wire import Ids

RATE = 8000
BEGINS = 1000.0


def tone(seconds: float, hz: float = 440.0, rate: int = RATE, height: int = 8000) -> bytes:
    return pcm_of(array("h", (round(height * math.sin(math.tau * hz * at / rate)) for at in range(round(seconds * rate)))))


def hush(seconds: float, rate: int = RATE) -> bytes:
    return bytes(round(seconds * rate) * 2)


def said(text: str, begins: float, seconds: float = 1.0, *, over_bot: bool = False) -> Said:
    return Said(Turn(say=text), tone(seconds), BEGINS + begins, BEGINS + begins + seconds, over_bot)


def pressed(keys: str, at: float) -> Said:
    return Said(Turn(dtmf=keys), b"", BEGINS + at, BEGINS + at)


def spoken(text: str | None, begins: float, pcm: bytes, *, cut: bytes = b"") -> Utterance:
    return Utterance(RATE, [Piece(BEGINS + begins, bytearray(pcm))], cut, text)


def call(**changed: Any) -> Call:
    """Return a call with a greeting, a question and its answer."""
    facts: dict[str, Any] = {
        "ids": Ids("s", "c", "l"),
        "rate": RATE,
        "begins": BEGINS,
        "connect_ms": 2.0,
        "said": [said("When are you open?", 2.0)],
        "unsaid": [],
        "spoken": [spoken("Hello.", 0.1, tone(1.0)), spoken("From nine to six.", 3.3, hush(0.2) + tone(1.5))],
        "clears": [],
        "sizes": [3200, 3200],
        "violations": [],
        "marks": 2,
        "ahead_s": 0.6,
        "faults": (),
        "fault_count": 0,
        "late_max_ms": 1.0,
        "end": End(BEGINS + 6.0, True, 1000, "the server closed the call with 1000", 0.0),
    }
    return Call(**{**facts, **changed})


def played(*events: tuple[float, bytes | str]) -> Playback:
    """Return a playback after ``events``: PCM, "clear" or "part" at a time in seconds."""
    playback = Playback(RATE)
    for at, event in events:
        if isinstance(event, bytes):
            playback.media(event, BEGINS + at, len(event))
        elif event == "clear":
            playback.clear(BEGINS + at)
        else:
            playback.part()
    return playback
