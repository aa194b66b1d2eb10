"""Make an illegal transition of a call's phase, which the service survives, an error of the test."""

from collections.abc import Iterator

import pytest
from exotel_ws.ai.phase import IllegalTransition, Phases


@pytest.fixture(autouse=True)
def legal_phases(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[IllegalTransition]]:
    """Raise each illegal transition, and fail the test at its end too, because a loop swallows exceptions of its callbacks."""
    illegal: list[IllegalTransition] = []

    def refuse(_phases: Phases, error: IllegalTransition) -> None:
        illegal.append(error)
        raise error

    monkeypatch.setattr(Phases, "_refuse", refuse)
    yield illegal
    assert not illegal
