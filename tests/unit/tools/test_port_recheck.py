"""The guard before every signal: the planned process must still be there."""

import os
import signal
from typing import Any

import pytest
from exotelctl.port import apply, process
from exotelctl.port.facts import Identity, PortHolder

UNIT = "0::/system.slice/x.service\n"
HOLDER = PortHolder(
    identity=Identity(500, 7000),
    user="deploy",
    name="node",
    command="node",
    age_s=1,
    state="sleeping",
    unit="x.service",
    unit_state="failed",
    user_unit=False,
    parents=(),
    inodes=frozenset({11}),
)


@pytest.mark.parametrize(
    ("identity", "held", "cgroup", "outcome"),
    [
        (Identity(500, 7000), {11}, UNIT, None),
        (None, {11}, UNIT, "gone"),
        (Identity(500, 9999), {11}, UNIT, "changed"),
        (Identity(500, 7000), {11}, "0::/system.slice/y.service\n", "changed"),
        (Identity(500, 7000), set(), UNIT, "released"),
    ],
)
def test_recheck(identity: Identity | None, held: set[int], cgroup: str, outcome: str | None) -> None:
    said = apply.recheck(
        HOLDER,
        identity=lambda _pid: identity,
        sockets=lambda _pid, wanted: frozenset(held) & wanted,
        cgroup_text=lambda _pid: cgroup,
    )
    assert said == outcome


def test_a_reused_pid_gets_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reused pid gets no signal: here the plan has this process's pid with another start time."""
    sent: list[Any] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *arguments: sent.append(arguments))
    mine = process.identity(os.getpid())
    assert mine is not None
    stale = Identity(mine.pid, mine.start_ticks - 1)
    (ending,) = apply.end([PortHolder(**{**as_dict(HOLDER), "identity": stale})], frozenset(), 0.1)
    assert ending.outcome == "changed"
    assert sent == []


@pytest.mark.parametrize("pid", [1, 4000])
def test_the_executor_itself_spares_the_protected(monkeypatch: pytest.MonkeyPatch, pid: int) -> None:
    monkeypatch.setattr(os, "pidfd_open", lambda _pid: pytest.fail("it was even looked at"))
    (ending,) = apply.end([PortHolder(**{**as_dict(HOLDER), "identity": Identity(pid, 7000)})], frozenset({4000}), 0.1)
    assert (ending.outcome, ending.signals) == ("changed", [])


def as_dict(holder: PortHolder) -> dict[str, Any]:
    return {name: getattr(holder, name) for name in PortHolder.__slots__}
