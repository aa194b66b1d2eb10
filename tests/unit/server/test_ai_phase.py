"""The phases of a call: their order, and the refusal of illegal transitions."""

import asyncio

import pytest
from exotel_ws.ai.phase import TRANSITIONS, IllegalTransition, Phase, Phases

from .ai_call import GREETING_S, Call, at_once


def test_every_phase_is_reached_and_has_a_way_to_the_end() -> None:
    assert TRANSITIONS.keys() == set(Phase)
    reached = set().union(*TRANSITIONS.values())
    assert reached == set(Phase) - {Phase.GREETING}
    assert [phase for phase, after in TRANSITIONS.items() if Phase.OVER not in after] == [Phase.OVER]


def test_nothing_follows_the_end_and_nothing_but_the_end_follows_a_goodbye() -> None:
    assert not TRANSITIONS[Phase.OVER]
    assert TRANSITIONS[Phase.PARTING] == {Phase.PARTING, Phase.OVER}


def test_an_illegal_transition_is_an_error_in_tests(legal_phases: list[IllegalTransition]) -> None:
    phases = Phases(Phase.OVER, lambda _error: None)
    with pytest.raises(IllegalTransition, match="from over to open"):
        phases.enter(Phase.OPEN)
    assert phases.now is Phase.OVER
    assert len(legal_phases) == 1
    legal_phases.clear()


def test_leaving_a_phase_does_nothing_in_another() -> None:
    phases = Phases(Phase.PARTING, lambda _error: None)
    phases.leave(Phase.HELD)
    assert phases.now is Phase.PARTING


def test_a_wait_for_the_greeting_ends_with_its_phase() -> None:
    assert Phases(Phase.OPEN, lambda _error: None).greeted.is_set()
    phases = Phases(Phase.GREETING, lambda _error: None)
    assert not phases.greeted.is_set()
    phases.leave(Phase.GREETING)
    assert phases.now is Phase.OPEN
    assert phases.greeted.is_set()


def test_a_call_in_service_survives_an_illegal_transition_and_logs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.undo()  # `legal_phases`: as in service

    async def call() -> None:
        call = Call()
        call.conversation._phases.enter(Phase.GREETING)
        assert "from greeting to greeting" in caplog.text
        await call.until(GREETING_S + 0.5)
        await call.say("hello?")
        await asyncio.sleep(3)
        assert call.services.asked == ["hello?"]
        call.conversation.stopped()

    at_once(call)
