"""Plan, from facts, the steps of a reset, or say why it is refused. Pure."""

import dataclasses
from collections.abc import Iterator
from typing import Literal

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET

from exotelctl.reset.facts import Facts

Verb = Literal["close", "drain", "cut", "clear", "prove", "forget", "start", "verify"]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a verb of the executor, the instances, units or generation it is about, or the port."""

    verb: Verb
    names: tuple[str, ...] = ()
    port: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        names = " ".join(self.names)
        return {
            "close": f"stop {SOCKET}: new calls are refused from here on",
            "drain": f"wait at most {self.seconds:g} s for the calls of {names} to end",
            "cut": f"end {names} with the calls they still have",
            "clear": f"clear port {self.port} of what is not ours",
            "prove": f"prove that port {self.port} is free, by binding it",
            "forget": f"forget the failure of {names}",
            "start": f"start {names} again",
            "verify": "verify with a protocol test and a call from this host",
        }[self.verb]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """``refusal`` "" where the steps can be taken. ``calls`` is how many live calls they cut, those that end in time included."""

    steps: tuple[Step, ...]
    calls: int
    refusal: str = ""


def plan(facts: Facts, *, drain_s: float) -> Plan:
    """Decide. ``drain_s`` are the seconds that calls get to end by themselves; 0 cuts them at once."""
    hindrances = [f"port {port.number}: {hindrance}" for port in facts.ports for hindrance in port.hindrances]
    if hindrances:
        return Plan((), facts.calls, "; ".join(hindrances))
    return Plan(tuple(_steps(facts, drain_s)), facts.calls)


def _steps(facts: Facts, drain_s: float) -> Iterator[Step]:
    live = tuple(worker.name for worker in facts.workers)
    if facts.socket_live:
        yield Step("close")
    if live and drain_s:
        yield Step("drain", live, seconds=drain_s)
    if live:
        yield Step("cut", live)
    for port in facts.ports:
        if port.strangers:
            yield Step("clear", port=port.number)
        yield Step("prove", port=port.number)
    if facts.failed:
        yield Step("forget", facts.failed)
    yield Step("start", (facts.serving.id,))
    yield Step("verify")
