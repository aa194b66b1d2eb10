"""``exotelctl health``: what ``/health`` and ``/ready`` say, how fast, and why not where they do not.

✅ http://127.0.0.1:8765/health → 200 {"status":"ok","service":"exotel-passthrough","mode":"echo"} (1.1 ms)
✅ http://127.0.0.1:8765/ready → 200 {"status":"ready"} (0.6 ms)
"""

import asyncio
import dataclasses
import json as jsonlib

from exotel_phone.command import journal
from exotel_phone.exits import Exit
from exotel_phone.http_request import Answer, get
from exotel_phone.output import emit_json, say
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import Target, parse
from exotel_phone.text import printable

from exotelctl.edge import config
from exotelctl.edge.facts import look_at_unit
from exotelctl.edge.judge import LOOK, not_running
from exotelctl.host_settings import load
from exotelctl.options import HealthOptions


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """One path asked: its answer, and what is wrong with it (None: nothing)."""

    path: str
    answer: Answer | None
    fault: Fault | None


def run(options: HealthOptions) -> Exit:
    """Ask, print, and say by the exit code whether the server is healthy and takes calls. Raises UsageFault.

    Without a URL an edge of this host that is down is a problem too: the server answers, and no caller gets through.
    """
    target = parse(options.url, ca_file=options.ca_file) if options.url else load(options.settings).local_target
    probes = asyncio.run(_ask(target, options.timeout))
    of_edge = None if options.url else _fault_of_edge()
    healthy = of_edge is None and all(probe.fault is None for probe in probes)
    if options.json:
        found = [_as_json(probe) for probe in probes]
        problem = of_edge and dataclasses.asdict(of_edge)
        emit_json({"url": target.http(""), "ok": healthy, "edge_problem": problem, "probes": found})
    else:
        for probe in probes:
            _report(target, probe)
        if of_edge:
            say(of_edge.told)
    return Exit.OK if healthy else Exit.PROBLEM


def _fault_of_edge() -> Fault | None:
    """Return why no caller gets through the edge of this host, or why that is not known."""
    try:
        stopped = not_running(look_at_unit())
    except config.Unusable as unusable:
        return Fault("edge-unknown", str(unusable), _DOCTOR)
    return Fault("edge-down", stopped, f"{LOOK}; {_DOCTOR}") if stopped else None


async def _ask(target: Target, timeout_s: float) -> list[Probe]:
    """Ask both paths in turn; only the first if it finds no server."""
    probes: list[Probe] = []
    for path, judge in (("/health", judge_health), ("/ready", judge_ready)):
        try:
            answer = await get(target, path, timeout_s=timeout_s)
        except Unreachable as error:
            return [*probes, Probe(path, None, error.fault)]
        probes.append(Probe(path, answer, judge(answer)))
    return probes


def judge_health(answer: Answer) -> Fault | None:
    """Judge ``/health``: it must be 200 with a JSON object whose status is ok."""
    if answer.status == 200 and _status(answer) == "ok":
        return None
    said = printable(answer.body.strip(), 120)
    cause = f"{answer.url} says HTTP {answer.status}: {said!r}, not 200 with status ok"
    return Fault("unhealthy", cause, f"on the host: {journal('-u', 'exotel-ws@*', '-n', 50)}")


def judge_ready(answer: Answer) -> Fault | None:
    """Judge ``/ready``: 200 is ready, 503 names what keeps new calls out; 404 is no fault, only listed addresses may ask."""
    if answer.status in (200, 404):
        return None
    if answer.status == 503 and (state := _status(answer)):
        return Fault(printable(state, 30), f"{answer.url} takes no new calls: {printable(state, 30)}", _READY_NEXT)
    return Fault("not-ready", f"{answer.url} says HTTP {answer.status}", _READY_NEXT)


_DOCTOR = "sudo exotelctl doctor"
_READY_NEXT = "ansible-playbook playbooks/status.yml -i INVENTORY; on the host: systemctl list-units 'exotel-ws@*'"


def _status(answer: Answer) -> str:
    try:
        said = jsonlib.loads(answer.body)
    except ValueError:
        return ""
    return str(said.get("status", "")) if isinstance(said, dict) else ""


def _as_json(probe: Probe) -> dict[str, object]:
    answer = probe.answer
    return {
        "path": probe.path,
        "status": answer and answer.status,
        "body": answer and answer.body,
        "latency_ms": answer and round(answer.latency_ms, 3),
        "problem": probe.fault and dataclasses.asdict(probe.fault),
    }


def _report(target: Target, probe: Probe) -> None:
    mark = "✅" if probe.fault is None else "❌"
    if probe.answer is None:
        assert probe.fault is not None
        say(f"{mark} {target.http(probe.path)}: {probe.fault.cause}")
    else:
        answer = probe.answer
        body = printable(answer.body.strip())
        say(f"{mark} {answer.url} → {answer.status} {body} ({answer.latency_ms:.1f} ms)")
    if probe.fault is not None:
        say(f"   next: {probe.fault.next}")
