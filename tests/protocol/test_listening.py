"""Listening on lines that are not clear, with the real pipeline and the embedded models, in real time."""

from pathlib import Path

import pytest
from exotel_ws.ai.settings import Silence

from tests.speech.sounds import biased, louder

from .listening import RATE, heard
from .speaker import ESPEAK, spoken

pytestmark = [
    pytest.mark.skipif(not ESPEAK, reason="needs espeak-ng, a voice that is not the bot's: scripts/apt-need espeak-ng"),
    pytest.mark.timeout(180),
    pytest.mark.alone,  # in real time: what runs beside them would be heard as a slow recogniser
]
GREETING_S = 3.5
PATIENT = Silence(after_s=30)


def asked(text: str = "What are your opening hours?") -> bytes:
    return louder(spoken(text, RATE), -6)


@pytest.mark.parametrize("line", ["34 dB softer", "20 dB softer, on an offset"])
def test_a_soft_caller_is_understood(line: str, tmp_path: Path) -> None:
    soft = louder(asked(), -34) if line.startswith("34") else louder(asked(), -20)
    silence = bytes(2 * RATE * 14)
    background = biased(silence, 0.05) if "offset" in line else silence

    call = heard(tmp_path, [(GREETING_S, soft)], seconds=14, background=background, silence=PATIENT)

    assert len(call.turns) == 1, call
    assert any("nine" in said for said in call.said), call


def test_what_the_network_held_back_is_understood_though_it_comes_at_once(tmp_path: Path) -> None:
    question = asked("I would like to know when you are open.")

    call = heard(tmp_path, [(GREETING_S, question)], seconds=15, held=(GREETING_S - 0.2, GREETING_S + 3), silence=PATIENT)

    assert len(call.turns) == 1, call
    assert "when you are open" in call.turns[0].lower()
    assert any("nine" in said for said in call.said), call
