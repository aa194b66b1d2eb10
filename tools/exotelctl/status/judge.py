"""Judge facts: the state of each generation, and what is wrong. Pure."""

import dataclasses
from typing import Literal

from exotel_phone.command import command, journal
from exotel_phone.text import plural, printable

from exotelctl import boot
from exotelctl.edge.judge import LOOK, not_running
from exotelctl.status.facts import Facts, Worker
from exotelctl.units import Unit

State = Literal["serving", "starting", "down", "draining", "stray", "failed", "ended"]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A generation that serves or is still on the host with units: ``calls`` live (None: not known), since when it is so."""

    name: str
    state: State
    release: str
    workers: tuple[Worker, ...]
    calls: int | None
    age_s: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """The generations, the one that is to serve first, and every problem as a sentence. Healthy is: no problem."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]


def judge(facts: Facts) -> Verdict:
    """Return the verdict on ``facts``."""
    others = {worker.generation for worker in facts.workers} - {facts.current}
    names = [*([facts.current] if facts.current else []), *sorted(others, reverse=True)]
    rows = [row for row in (_row(facts, name) for name in names) if row.state != "ended"]
    if facts.maintenance:
        return Verdict(tuple(rows), tuple(_though_in_maintenance(facts)))
    problems = [] if facts.current else ["nothing is deployed on this host: ansible-playbook deploy.yml -i INVENTORY"]
    problems += [*_edge(facts), *_socket(facts), *_port(facts)]
    problems += [*(text for row in rows for text in _of_row(facts, row)), *_boot(facts)]
    return Verdict(tuple(rows), tuple(problems))


def _boot(facts: Facts) -> list[str]:
    if not facts.current or facts.enabled is None or facts.current not in facts.generations:
        return []
    missing = boot.missing(facts.current, facts.generations[facts.current].workers, facts.enabled)
    cure = command("systemctl", "enable", *missing)
    return [f"not started at the next boot: {', '.join(missing)}; {cure}"] if missing else []


def _though_in_maintenance(facts: Facts) -> list[str]:
    """Judge a host that is out of service on purpose, where an idle server is no fault."""
    socket = facts.socket and facts.socket.active == "active"
    back = [f"exotel-ws.socket takes calls, though the host is {facts.maintenance}: exotelctl maintenance off"] if socket else []
    return [*_edge(facts), *back, *_strangers(facts)]


def _row(facts: Facts, name: str) -> Row:
    workers = tuple(worker for worker in facts.workers if worker.generation == name)
    generation = facts.generations.get(name)
    state = _state(name == facts.current, {worker.unit.active for worker in workers})
    ages = [worker.unit.changed_s for worker in workers if worker.unit.changed_s is not None]
    age_s = min(ages, default=None)
    if state == "serving" and generation and generation.served is not None:
        age_s = max(0.0, facts.at - generation.served)
    answers = [worker.answer for worker in workers if worker.unit.active in ("active", "deactivating")]
    known = [answer.calls_live for answer in answers if answer]
    calls = sum(known) if len(known) == len(answers) else None
    release = generation.release if generation else next((answer.release for answer in answers if answer), "")
    return Row(name, state, release, workers, calls, age_s)


def _state(current: bool, active: set[str]) -> State:
    if current:
        return "serving" if active & {"active", "reloading"} else "starting" if "activating" in active else "down"
    if "deactivating" in active:
        return "draining"
    if active & {"active", "reloading", "activating"}:
        return "stray"
    return "failed" if "failed" in active else "ended"


def _edge(facts: Facts) -> list[str]:
    return [f"{stopped}; {LOOK}; exotelctl doctor"] if (stopped := not_running(facts.edge)) else []


def _socket(facts: Facts) -> list[str]:
    if not facts.current or (facts.socket and facts.socket.active == "active"):
        return []
    how = _how(facts.socket) if facts.socket else "not there"
    held = any(found.kind == "our-service" for found in facts.holders.decisions)
    means = "its workers still take calls, until they end; exotelctl restart" if held else "no call gets in; exotelctl doctor"
    return [f"exotel-ws.socket is {how}: {means}"]


def _port(facts: Facts) -> list[str]:
    """Report a port that nobody, or a stranger, holds. A stranger beside our units takes calls away from them."""
    if facts.holders.verdict == "free":
        return [f"nothing listens on port {facts.port}"] if facts.current else []
    return _strangers(facts)


def _strangers(facts: Facts) -> list[str]:
    return [
        f"port {facts.port} is held by pid {found.holder.pid} ({printable(found.holder.name, 40)}"
        f"{', ' + printable(found.holder.unit, 60) if found.holder.unit else ''}), a stranger:"
        f" {command('exotelctl', 'port-clean', '--port', facts.port, '--dry-run')}"
        for found in facts.holders.strangers
    ]


def _of_row(facts: Facts, row: Row) -> list[str]:
    problems = [f"worker {worker.short} {printable(worker.fault)}" for worker in row.workers if worker.fault]
    if row.state in ("failed", "stray"):
        what = "has failed" if row.state == "failed" else "runs though it is not the one that is to serve"
        problems.append(f"generation {row.name} {what}: {journal('-n', 50, '-u', f'exotel-ws@{row.name}-*')}")
    if row.name == facts.current:
        down = [worker.unit for worker in row.workers if worker.unit.active not in ("active", "reloading")]
        problems += [f"{unit.name} is {_how(unit)}: {journal('-n', 50, '-u', unit.name)}" for unit in down]
        expected = facts.generations[row.name].workers if row.name in facts.generations else 0
        if len(row.workers) < expected:
            problems.append(f"{plural(expected - len(row.workers), 'worker')} of {expected} not started: run deploy.yml again")
        problems += [
            f"{worker.unit.name} takes no new calls, though its generation is to serve"
            for worker in row.workers
            if worker.answer and worker.answer.state == "draining" and worker.unit.active == "active"
        ]
    return problems


def _how(unit: Unit) -> str:
    """Return the state of a unit in words: ``failed (oom-kill), started again 3 times``."""
    why = f" ({unit.result})" if unit.result not in ("", "success") else ""
    again = f", started again {plural(unit.restarts, 'time')}" if unit.restarts else ""
    return f"{unit.active or 'unknown'}{why}{again}"
