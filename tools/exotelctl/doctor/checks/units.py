"""Check the units that have to serve, and name what keeps one from it."""

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET
from exotel_phone.command import command, journal, of_units
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.units import Line, Units
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, warn
from exotelctl.units import Unit

_MODULE: Final = re.compile(r"^(?:ModuleNotFoundError|ImportError): (?!.*(?:failed to map segment|Cannot allocate memory)).*")
_SYNTAX: Final = re.compile(r"^(?:SyntaxError|IndentationError|TabError): .*")
_FILE: Final = re.compile(r'^\s*File "([^"]+)", line (\d+)')
_SETTINGS: Final = re.compile(r"settings\.toml: (?!ok$).*|^auth\.credential: .*|Failed to set up credentials.*")
_MEMORY: Final = re.compile(
    r"^MemoryError\b|Cannot allocate memory|failed to map segment from shared object|killed by the OOM killer|'oom-kill'"
)
"""A library that memory was refused to comes as an ImportError, though no module is missing."""
_TAKEN: Final = re.compile(r"Address already in use")
_RECENT_S: Final = 10.0
_REPAIR: Final = "ansible-playbook deploy.yml -i INVENTORY"
_BACK: Final = "ansible-playbook playbooks/rollback.yml -i INVENTORY"


class Hit(NamedTuple):
    """A line of a unit's journal that names a cause. ``now``: the unit is in trouble at this moment."""

    line: Line
    now: bool


def expected(deployment: Deployment) -> tuple[str, ...]:
    """Return the units that have to be active."""
    return (SOCKET, *(f"exotel-ws@{instance}.service" for instance in deployment.instances))


def in_trouble(unit: Unit | None) -> bool:
    """Return True if the unit is not active, or only just active again."""
    return unit is None or unit.active != "active" or (unit.restarts > 0 and _since(unit) < _RECENT_S)


def _since(unit: Unit) -> float:
    """Return how many seconds ago it entered its state, infinity where systemd does not know."""
    return math.inf if unit.changed_s is None else unit.changed_s


def _state(unit: Unit) -> str:
    return unit.state if unit.changed_s is None else f"{unit.state} for {duration(unit.changed_s)}"


def hits(facts: Facts, pattern: re.Pattern[str]) -> list[Hit]:
    """Return the lines of our units' journal that match ``pattern``.

    Of a unit in trouble only what it said since it last was up: older faults are not this trouble's. Raises NotSeen.
    """
    units = facts.units.get()
    found = [hit for name in expected(facts.deployment.get()) for hit in _hits(units, name, pattern)]
    if not found and units.unread:
        raise NotSeen(units.unread, needs="" if facts.as_root else "root")
    return found


def _hits(units: Units, name: str, pattern: re.Pattern[str]) -> Iterator[Hit]:
    lines = [line for line in units.lines if line.unit == name]
    unit = units.named(name)
    now = in_trouble(unit)
    if now and (unit is None or unit.active != "active"):
        ups = [index for index, line in enumerate(lines) if line.text.startswith((f"Started {name}", f"Listening on {name}"))]
        lines = lines[ups[-1] :] if ups else lines
    return (Hit(line, now) for line in lines if pattern.search(line.text))


def _judge(found: list[Hit], all_well: str, says: str, remedy: Remedy) -> Finding:
    """Red while a unit is down for it; a warning where the unit has come up again since."""
    if not found:
        return ok(all_well)
    last = max(found, key=lambda hit: (hit.now, hit.line.at)).line
    evidence = (f"{last.unit}: {last.text.removeprefix(f'{last.unit}: ')}", f"seen {plural(len(found), 'time')}")
    if any(hit.now for hit in found):
        return fail(says, *evidence, remedy=remedy)
    return warn(f"{says}; it is up again", *evidence, remedy=remedy)


def _journal_of(unit: str) -> str:
    return journal("-n", 50, "-u", unit)


def _rebuild(text: str) -> Remedy:
    return Remedy(text, ("ansible-playbook playbooks/status.yml -i INVENTORY",), (_REPAIR, _BACK))


@check("unit-port-conflict", "units", of="units")
def port_conflict(facts: Facts) -> Finding:
    """Claim: exotel-ws.socket was not kept from its port. Does not prove: that nobody else listens: port-stranger does."""
    found = [hit for hit in hits(facts, _TAKEN) if hit.line.unit == SOCKET]
    says = "exotel-ws.socket could not listen: the address was in use"
    remedy = Remedy(
        "Free the port, then start anew: the socket and every worker.",
        ("exotelctl port-clean --dry-run", _journal_of(SOCKET)),
        ("exotelctl port-clean", "exotelctl restart"),
    )
    return _judge(found, "no bind of exotel-ws.socket failed", says, remedy)


@check("unit-missing-module", "units", of="units")
def missing_module(facts: Facts) -> Finding:
    """Claim: no worker misses a Python module. Does not prove: that a module which is only loaded later is there."""
    found = hits(facts, _MODULE)
    says = f"the release lacks a module: {found[-1].line.text}" if found else ""
    return _judge(found, "no import failed", says, _rebuild("A release that is not whole: deploy it anew, or go back."))


@check("unit-syntax-error", "units", of="units")
def syntax_error(facts: Facts) -> Finding:
    """Claim: the release's code can be read by Python. Does not prove: that the code is right."""
    found = hits(facts, _SYNTAX)
    where = _file_before(facts.units.get(), found[-1].line) if found else ""
    says = f"{found[-1].line.text}{' in ' + where if where else ''}" if found else ""
    return _judge(found, "no file of the release was refused", says, _rebuild("A file of the release was changed or is cut."))


def _file_before(units: Units, error: Line) -> str:
    """Return the file and line that the traceback names last before the error."""
    before = [line for line in units.lines if line.unit == error.unit and line.at <= error.at]
    named = [match for line in before if (match := _FILE.match(line.text))]
    return f"{named[-1][1]}, line {named[-1][2]}" if named else ""


@check("unit-settings-error", "units", of="units")
def settings_error(facts: Facts) -> Finding:
    """Claim: the settings are accepted. Does not prove: that they say what was meant."""
    problem = facts.deployment.get().settings_problem
    found = hits(facts, _SETTINGS)
    text = found[-1].line.text if found else problem
    remedy = Remedy(
        "Correct the variable that it names in the inventory, and deploy: a generation on the host is never edited. "
        "Where it names credentials, the file that systemd hands over is missing or unreadable.",
        ("exotel-ws check-config /etc/exotel-ws/current/settings.toml", "ls -l /etc/exotel-ws/current/credentials/"),
        (_REPAIR, _BACK),
    )
    if problem and not found:
        return fail(f"the settings cannot be read: {problem}", remedy=remedy)
    return _judge(found, "no worker refused its settings", f"settings refused: {text}", remedy)


@check("unit-out-of-memory", "units", of="units")
def out_of_memory(facts: Facts) -> Finding:
    """Claim: no worker ran out of memory. Does not prove: that memory will do for more calls: see memory."""
    remedy = Remedy(
        "Find what takes the memory: this worker, or another program on the host. Its calls were cut.",
        ("exotelctl doctor --check memory --verbose", "systemd-cgtop -m -n 1", "journalctl -k -g 'Out of memory' -n 20"),
        ("more memory, or fewer calls: exotel_ws_max_calls, and deploy",),
    )
    return _judge(hits(facts, _MEMORY), "no memory was refused", "a worker ran out of memory and was ended", remedy)


@check("unit-down", "units", of="units")
def down(facts: Facts) -> Finding:
    """Claim: the socket and every worker of the current generation are active. Does not prove: that they answer: loop-hung and
    local-answer do.
    """
    deployment, units = facts.deployment.get(), facts.units.get()
    if not deployment.generation:
        remedy = Remedy("Deploy to this host.", (), (_REPAIR,))
        return fail("nothing is deployed on this host", "/etc/exotel-ws/current is not there", remedy=remedy)
    lost = [name for name in expected(deployment) if (unit := units.named(name)) is None or unit.active != "active"]
    if lost:
        return _down(units, lost)
    # systemd counts restarts for as long as the unit runs: only the last one has a time.
    window_s = facts.collected_at - facts.since
    known = [unit for name in expected(deployment) if (unit := units.named(name))]
    again = [unit for unit in known if unit.restarts and _since(unit) <= window_s]
    if again:
        return warn(
            f"{again[0].name} was restarted: {plural(again[0].restarts, 'time')}, last {duration(_since(again[0]))} ago",
            *(line.text for line in units.lines if line.unit == again[0].name and "Main process exited" in line.text),
            remedy=Remedy("Read why it ended: its calls were cut.", (_journal_of(again[0].name),)),
        )
    return ok(f"{SOCKET} and {plural(deployment.workers, 'worker')} of {deployment.generation} are active")


def _down(units: Units, lost: list[str]) -> Finding:
    first = units.named(lost[0])
    state = _state(first) if first else "not running, nor loaded"
    last = [line.text for line in units.lines if line.unit == lost[0]][-5:]
    remedy = Remedy(
        "Read its last lines. Where it was stopped by hand, start it (to keep it down across reboots: exotelctl maintenance on); "
        "where it crashed, deploy again or go back.",
        (_journal_of(lost[0]), of_units("status", lost[0])),
        (of_units("start", lost[0]), _REPAIR, _BACK),
    )
    if lost == [SOCKET]:
        # systemd starts no socket below running workers: it takes a new generation, which cuts no call.
        remedy = Remedy(
            "Its workers still have the port, until they end. A restart puts it right and cuts no call.",
            ("exotelctl restart", _journal_of(SOCKET)),
            (_REPAIR,),
        )
    return fail(f"{lost[0]} is {state}", *(f"{name} is down too" for name in lost[1:]), *last, remedy=remedy)


@check("generations", "units", of="units")
def generations(facts: Facts) -> Finding:
    """Claim: only the current generation takes calls, and older ones end their calls and go. Does not prove: that the current
    generation is the one that you want.
    """
    deployment, units = facts.deployment.get(), facts.units.get()
    if not deployment.generation:
        return skipped("nothing is deployed on this host")
    if deployment.deploying:
        return skipped("a deploy is running: two generations are as it should be")
    found = [*_wrong_point(deployment), *_others(deployment, units)]
    if not found:
        return ok(f"{deployment.generation} alone takes calls")
    remedy = Remedy(
        "A deploy of the same release puts this right without cutting a call.",
        ("ansible-playbook playbooks/status.yml -i INVENTORY", "systemctl list-units 'exotel-ws@*'"),
        (_REPAIR, "systemctl stop 'exotel-ws@INSTANCE.service' (it drains first)", "systemctl reset-failed 'exotel-ws@*'"),
    )
    return fail(found[0], *found[1:], remedy=remedy)


def _wrong_point(deployment: Deployment) -> Iterator[str]:
    points_to = deployment.socket_points_to
    if points_to not in deployment.instances:
        yield f"{SOCKET} starts {points_to or 'nothing'}, which is not of the current generation {deployment.generation}"


def _others(deployment: Deployment, units: Units) -> Iterator[str]:
    for unit in units.units:
        if not unit.instance or unit.instance in deployment.instances:
            continue
        if unit.active in ("active", "activating"):
            yield f"{unit.name} is {unit.state}, but not current: it takes calls with another release or other settings"
        elif unit.active == "failed":
            yield f"{unit.name} is {unit.state}"
        elif unit.active == "deactivating" and unit.changed_s is not None and unit.changed_s > deployment.drain_s + 60:
            yield f"{unit.name} drains for {duration(unit.changed_s)}, longer than drain.timeout_s = {deployment.drain_s:g}"


@check("loop-hung", "units", of="workers")
def loop_hung(facts: Facts) -> Finding:
    """Claim: every worker that runs answers at its admin socket. Does not prove: that it answers calls: local-answer and no-echo
    do.
    """
    units = facts.units.get()
    running = [unit for unit in units.units if unit.instance and unit.pid and (unit.active == "active" or _barked(unit))]
    stopped = [unit for unit in running if unit.process in ("T", "t")]
    waiting = facts.port.value.waiting if facts.port.value else 0
    recv_q = f"{plural(waiting, 'connection')} wait to be accepted (Recv-Q)"
    if stopped:
        return fail(
            f"{stopped[0].name}, pid {stopped[0].pid}, is stopped (state {stopped[0].process})",
            recv_q,
            remedy=Remedy(
                "Somebody sent it SIGSTOP, or a debugger holds it. Its calls are mute until it goes on.",
                (command("ps", "-o", "pid,stat,wchan,cmd", "-p", stopped[0].pid),),
                (command("kill", "-CONT", stopped[0].pid),),
            ),
        )
    asked = {worker.instance: worker for worker in facts.workers.get()}
    hung = [unit for unit in running if _barked(unit) or unit.instance not in asked or asked[unit.instance].silent]
    if hung:
        worker = asked.get(hung[0].instance)
        why = worker.silent if worker else "it has no admin socket"
        return fail(
            f"{hung[0].name}, pid {hung[0].pid}, runs but does not answer: {why or hung[0].state}",
            recv_q,
            *(f"{unit.name} does not answer either" for unit in hung[1:]),
            remedy=Remedy(
                "Its event loop hangs. The watchdog ends it after 20 s and systemd starts it anew; its calls are lost.",
                (_journal_of(hung[0].name), command("cat", f"/proc/{hung[0].pid}/stack", f"/proc/{hung[0].pid}/wchan")),
                (
                    command(
                        *("systemctl", "kill", "--signal=SIGKILL", hung[0].name),
                        note="cuts its calls; systemd starts it again",
                    ),
                ),
            ),
        )
    slow = max((worker for worker in asked.values() if not worker.silent), key=lambda one: one.answer_ms, default=None)
    if slow is None:
        return skipped("no worker runs")
    if slow.answer_ms > 1000:
        remedy = Remedy("The host is overloaded, or a call blocks the loop.", ("top -b -n 1 | head -20",))
        return warn(f"{slow.instance} took {slow.answer_ms:.0f} ms to answer", recv_q, remedy=remedy)
    barks = [line for line in units.lines if "Watchdog timeout" in line.text]
    if barks:
        remedy = Remedy("A worker hung and was ended; its calls were cut. Keep the trace.", (_journal_of(barks[-1].unit),))
        return warn(f"{barks[-1].unit} hung: {barks[-1].text}", "it was started anew", remedy=remedy)
    return ok(f"{plural(len(running), 'worker')} answer, the slowest in {slow.answer_ms:.1f} ms", recv_q)


def _barked(unit: Unit) -> bool:
    """Return True if the watchdog has found it hung and waits for it to die."""
    return unit.sub in ("stop-watchdog", "final-watchdog") or (unit.active == "deactivating" and unit.result == "watchdog")
