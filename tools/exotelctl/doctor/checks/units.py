"""Check the units that have to serve, now and after a reboot, and name what keeps one from it."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET
from exotel_phone.command import command, of_units
from exotel_phone.text import duration, plural

from exotelctl import boot as units_at_boot
from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import DEPLOY, FLEET, ROLL_BACK, STATUS, deploy, lines_of
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
_TAKEN: Final = re.compile(rf"^{re.escape(SOCKET)}: .*Address already in use")
_RECENT_S: Final = 10.0


@check("maintenance", "units", of="deployment")
def maintenance(facts: Facts) -> Finding:
    """Claim: nobody has taken this host out of service on purpose. Does not prove: that it serves: unit-down does."""
    said = facts.deployment.get().maintenance
    if not said:
        return ok("the host is meant to serve")
    remedy = Remedy(
        "Somebody did this on purpose: ask them. No new call gets in, after a reboot neither.",
        (STATUS,),
        ("exotelctl maintenance off",),
    )
    return warn(f"the host is {said}", remedy=remedy)


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


def _told(facts: Facts, pattern: re.Pattern[str], all_well: str, says: Callable[[Line], str], remedy: Remedy) -> Finding:
    """Judge by lines that name a cause. Red while a unit is down for it; a warning where the unit has come up again since."""
    found = hits(facts, pattern)
    if not found:
        return ok(all_well)
    line, now = max(found, key=lambda hit: (hit.now, hit.line.at))
    evidence = (f"{line.unit}: {line.text.removeprefix(f'{line.unit}: ')}", f"seen {plural(len(found), 'time')}")
    if now:
        return fail(says(line), *evidence, remedy=remedy)
    return warn(f"{says(line)}; it is up again", *evidence, remedy=remedy)


def _rebuild(text: str) -> Remedy:
    return Remedy(text, (FLEET,), (DEPLOY, ROLL_BACK))


@check("unit-port-conflict", "units", of="units")
def port_conflict(facts: Facts) -> Finding:
    """Claim: exotel-ws.socket was not kept from its port. Does not prove: that nobody else listens: port-stranger does."""
    remedy = Remedy(
        "Free the port, then start again: the socket and every worker.",
        ("exotelctl port-clean --dry-run", lines_of(SOCKET)),
        ("exotelctl port-clean", "exotelctl restart"),
    )
    says = f"{SOCKET} could not listen: the address was in use"
    return _told(facts, _TAKEN, f"no bind of {SOCKET} failed", lambda _: says, remedy)


@check("unit-missing-module", "units", of="units")
def missing_module(facts: Facts) -> Finding:
    """Claim: no worker misses a Python module. Does not prove: that a module which is only loaded later is there."""
    remedy = _rebuild("A release that is not whole: deploy it again, or go back.")
    return _told(facts, _MODULE, "no import failed", lambda line: f"the release lacks a module: {line.text}", remedy)


@check("unit-syntax-error", "units", of="units")
def syntax_error(facts: Facts) -> Finding:
    """Claim: the release's code can be read by Python. Does not prove: that the code is right."""
    remedy = _rebuild("A file of the release was changed or is cut.")
    lines = facts.units.get().lines
    return _told(facts, _SYNTAX, "no file of the release was refused", lambda line: line.text + _file_before(lines, line), remedy)


def _file_before(lines: Sequence[Line], error: Line) -> str:
    """Return the file and line that the traceback names last before the error."""
    before = [line for line in lines if line.unit == error.unit and line.at <= error.at]
    named = [match for line in before if (match := _FILE.match(line.text))]
    return f" in {named[-1][1]}, line {named[-1][2]}" if named else ""


@check("unit-settings-error", "units", of="units")
def settings_error(facts: Facts) -> Finding:
    """Claim: the settings are accepted. Does not prove: that they say what was meant."""
    remedy = Remedy(
        "Correct the variable that it names in the inventory, and deploy: a generation on the host is never edited. "
        "Where it names credentials, the file that systemd hands over is missing or unreadable.",
        ("exotel-ws check-config /etc/exotel-ws/current/settings.toml", "ls -l /etc/exotel-ws/current/credentials/"),
        (DEPLOY, ROLL_BACK),
    )
    problem = facts.deployment.get().settings_problem
    if problem and not hits(facts, _SETTINGS):
        return fail(f"the settings cannot be read: {problem}", remedy=remedy)
    return _told(facts, _SETTINGS, "no worker refused its settings", lambda line: f"settings refused: {line.text}", remedy)


@check("unit-out-of-memory", "units", of="units")
def out_of_memory(facts: Facts) -> Finding:
    """Claim: no worker ran out of memory. Does not prove: that memory will do for more calls: see memory."""
    remedy = Remedy(
        "Find what takes the memory: this worker, or another program on the host. Its calls were cut.",
        ("exotelctl doctor --check memory --verbose", "systemd-cgtop -m -n 1", "journalctl -k -g 'Out of memory' -n 20"),
        ("more memory, or fewer calls: exotel_ws_max_calls, and deploy",),
    )
    return _told(facts, _MEMORY, "no memory was refused", lambda _: "a worker ran out of memory and was ended", remedy)


@check("unit-down", "units", of="units")
def down(facts: Facts) -> Finding:
    """Claim: the socket and every worker of the current generation are active. Does not prove: that they answer: loop-hung and
    local-answer do.
    """
    deployment, units = facts.deployment.get(), facts.units.get()
    if not deployment.generation:
        where = "/etc/exotel-ws/current is not there"
        return fail("nothing is deployed on this host", where, remedy=deploy("Deploy to this host."))
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
            remedy=Remedy("Read why it ended: its calls were cut.", (lines_of(again[0].name),)),
        )
    return ok(f"{SOCKET} and {plural(deployment.workers, 'worker')} of {deployment.generation} are active")


def _down(units: Units, lost: list[str]) -> Finding:
    first = units.named(lost[0])
    state = _state(first) if first else "not running, nor loaded"
    last = [line.text for line in units.lines if line.unit == lost[0]][-5:]
    remedy = Remedy(
        "Read its last lines. Where it was stopped by hand, start it (to keep it down across reboots: exotelctl maintenance on); "
        "where it crashed, deploy again or go back.",
        (lines_of(lost[0]), of_units("status", lost[0])),
        (of_units("start", lost[0]), DEPLOY, ROLL_BACK),
    )
    if lost == [SOCKET]:
        # systemd starts no socket below running workers: it takes a new generation, which cuts no call.
        remedy = Remedy(
            "Its workers still have the port, until they end. A restart puts it right and cuts no call.",
            ("exotelctl restart", lines_of(SOCKET)),
            (DEPLOY,),
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
        (FLEET, "systemctl list-units 'exotel-ws@*'"),
        (DEPLOY, "systemctl stop 'exotel-ws@INSTANCE.service' (it drains first)", "systemctl reset-failed 'exotel-ws@*'"),
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
                "Its event loop hangs. The watchdog ends it after 20 s and systemd starts it again; its calls are lost.",
                (lines_of(hung[0].name), command("cat", f"/proc/{hung[0].pid}/stack", f"/proc/{hung[0].pid}/wchan")),
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
        remedy = Remedy("A worker hung and was ended; its calls were cut. Keep the trace.", (lines_of(barks[-1].unit),))
        return warn(f"{barks[-1].unit} hung: {barks[-1].text}", "it was started again", remedy=remedy)
    return ok(f"{plural(len(running), 'worker')} answer, the slowest in {slow.answer_ms:.1f} ms", recv_q)


def _barked(unit: Unit) -> bool:
    """Return True if the watchdog has found it hung and waits for it to die."""
    return unit.sub in ("stop-watchdog", "final-watchdog") or (unit.active == "deactivating" and unit.result == "watchdog")


@check("boot", "units", of="deployment")
def boot(facts: Facts) -> Finding:
    """Claim: the socket and every worker start at the next boot. Does not prove: that they come up: only a boot does."""
    deployment = facts.deployment.get()
    if not deployment.generation or deployment.enabled is None:
        return skipped("it was not looked at" if deployment.generation else "nothing is deployed on this host")
    if deployment.maintenance:
        return skipped("in maintenance nothing is to start at boot")
    missing = units_at_boot.missing(deployment.generation, len(deployment.instances), deployment.enabled)
    if not missing:
        return ok(f"{len(deployment.instances) + 1} units are enabled")
    remedy = Remedy(
        "Somebody disabled units: the next boot leaves calls without them. Enabling changes nothing now; a deploy does it too.",
        (command("systemctl", "enable", *missing), DEPLOY),
    )
    return fail(f"not enabled, so not started at the next boot: {', '.join(missing)}", remedy=remedy)
