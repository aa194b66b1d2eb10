"""The table of calls by remote services: what it shows of rounds, and which goals it calls missed."""

import dataclasses

from benchmarks.ai.remote.run import FEW, MANY, Part, missed, text
from benchmarks.ai.server import OURS, PEER

PART = Part(
    cpu=0.01, memory_mb=3.0, answers=40, unanswered=0, gaps=0, voice_to_voice_ms=[800.0, 900.0], late_ms=9.0, others_busy=0.5
)


def rounds(*ours_cpu: float, gaps: int = 0) -> list[dict[str, dict[str, Part]]]:
    """Return rounds in which a call of ours takes so much CPU, and one of the peer's 1 % of a core."""
    return [
        {
            OURS: {
                str(FEW): dataclasses.replace(PART, cpu=cpu),
                str(MANY): dataclasses.replace(PART, cpu=cpu, gaps=gaps),
            },
            PEER: {str(FEW): PART, str(MANY): PART},
        }
        for cpu in ours_cpu
    ]


def test_the_median_of_the_rounds_is_shown_beside_the_peer() -> None:
    table = text(rounds(0.006, 0.007, 0.02))

    assert "| CPU of a call, % of a core | 0.70 | 1.00 |" in table
    assert f"| {MANY} calls at once: CPU, % of a core | 35 | 50 |" in table
    assert "relative to pipecat's: **0.70** (0.60–2.00)" in table


def test_goals_that_are_missed_are_named() -> None:
    assert missed(rounds(0.007)) == []
    assert missed(rounds(0.009)) == ["CPU of a call is 0.90 of pipecat's, at most 0.8 is wanted"]
    assert missed(rounds(0.007, gaps=2)) == [f"2 holes in what {MANY} callers heard"]
