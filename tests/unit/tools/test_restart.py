"""A restart asks on a terminal, and elsewhere acts with --yes only."""

import builtins
import contextlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from exotel_phone.exits import Exit, Refusal
from exotelctl import restart
from exotelctl.options import RestartOptions

SERVING = SimpleNamespace(id="g1", content=SimpleNamespace(release="r1"), instances=())


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the requester of each restart of a fake host."""
    done: list[str] = []

    def act(_executor: Any, _plan: Any, _paths: Any, **asked: Any) -> None:
        done.append(asked["who"])

    facts = SimpleNamespace(serving=SERVING, current="g1")
    generation = SimpleNamespace(id="g2", content=SERVING.content)
    for name, value in {
        "require_systemd": lambda _: None,
        "require_root": lambda _: None,
        "requester": lambda: "me@desk",
        "deploy_lock": lambda *_: contextlib.nullcontext(),
        "Executor": lambda *_: None,
        "act.act": act,
    }.items():
        monkeypatch.setattr(f"exotelctl.host.{name}", value)
    monkeypatch.setattr(restart, "gather", lambda *_: facts)
    plan = SimpleNamespace(generation=generation, reason="asked", steps=())
    monkeypatch.setattr(restart, "plan_restart", lambda *_: plan)
    return done


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    questions: list[str] = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(builtins, "input", lambda question: questions.append(question) or answer)
    return questions


def test_with_yes_it_asks_nothing(acted: list[str]) -> None:
    assert restart.run(RestartOptions(yes=True, json=True)) == Exit.OK
    assert acted == ["me@desk"]


@pytest.mark.parametrize("json", [True, False])
def test_where_nobody_can_be_asked_it_says_what_to_type(acted: list[str], json: bool) -> None:
    with pytest.raises(Refusal, match="nothing was done: say --yes"):
        restart.run(RestartOptions(json=json))
    assert acted == []


@pytest.mark.parametrize(("answer", "acts"), [("y", True), ("yes", True), ("", False), ("n", False)])
def test_on_a_terminal_it_asks_after_it_has_said_what(
    acted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, acts: bool
) -> None:
    questions = on_a_terminal(monkeypatch, answer)
    with contextlib.nullcontext() if acts else pytest.raises(Refusal):
        restart.run(RestartOptions())
    assert (len(questions), bool(acted)) == (1, acts)
    assert capsys.readouterr().out.startswith("♻️  Restart of g1")
