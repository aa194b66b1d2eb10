"""The steps of the proof that a host takes calls, in the order of causes. Pure.

A step that fails is the cause of what comes after it, so that the first one is told and no other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exotel_phone.command import command
from exotel_phone.target import Target

from exotelctl.doctor import checks
from exotelctl.doctor.checks import outside
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.outside import Outside
from exotelctl.doctor.result import Finding, Remedy, Result, Verdict, fail

_UNITS: Final = (
    "maintenance",
    "unit-port-conflict",
    "unit-missing-module",
    "unit-syntax-error",
    "unit-settings-error",
    "unit-out-of-memory",
    "loop-hung",
    "unit-down",
)
_PORT: Final = ("port-stranger", "port-two-listeners")
_ITSELF: Final = ("local-answer",)
_MUST_BE_SEEN: Final = ("unit-down", *_PORT, *_ITSELF)
"""Checks without whose ok nothing is proven; the others of a step only explain why it fails."""
_NOT_EVEN_WARN: Final = ("maintenance", *_ITSELF)
_NOTHING: Final = "nothing was ever put into service on this host"
_DEPLOY: Final = Remedy("Deploy to this host:", (), ("ansible-playbook deploy.yml -i INVENTORY",))


@dataclass(frozen=True, slots=True)
class Step:
    """Step of the proof: ``wrong`` is why the ``claim`` does not hold, None where it was proven, by what ``proof`` says."""

    claim: str
    proof: str = ""
    wrong: Finding | Result | None = None


def of_host(facts: Facts) -> list[Step]:
    """Return the steps that the host's own facts prove, up to the first that fails."""
    deployment = facts.deployment.value
    if deployment is None or not deployment.generation:
        why = facts.deployment.missing or _NOTHING
        return [Step("a generation is deployed", wrong=fail(why, remedy=_DEPLOY))]
    by_id = {result.id: result for result in checks.judge(facts)}
    held = f"port {deployment.port} is held by PID 1 for exotel-ws.socket, and by no stranger"
    body = facts.loopback.value.health.body if facts.loopback.value else ""
    workers = len(deployment.instances)
    steps = [
        Step("a generation is deployed", f"generation {deployment.generation} of release {deployment.release} is deployed"),
        Step(
            "its units are active",
            f"{workers + 1} units are active: the socket and {workers} workers",
            _first_wrong(by_id, _UNITS),
        ),
        Step(held, held, _first_wrong(by_id, _PORT) or _elsewhere(facts)),
        Step("the server answers on the host itself", f"the host itself gets {body}", _first_wrong(by_id, _ITSELF)),
    ]
    return up_to_fault(steps)


def from_here(facts: Facts, seen: Outside, target: Target) -> list[Step]:
    """Return the steps that the look ``seen`` from this machine at ``target`` proves."""
    answers = seen.answers
    http = target.http("")
    answered = f"so does this machine, by {http}, in {answers.health.ms:.1f} ms{_trust(target)}" if answers else ""
    return [
        Step(f"the server answers this machine at {http}", answered, _not_answered(facts, seen)),
        Step(
            "the protocol test passes",
            f"the protocol test passes, {seen.protocol_checks} of {seen.protocol_checks} checks",
            outside.not_compliant(seen),
        ),
        _call(seen, target.rate or 0),
    ]


def _trust(target: Target) -> str:
    """Say by whom the certificate was vouched for."""
    if not target.secure:
        return ""
    if target.ca_file:
        return "; its certificate is trusted because the host itself told it: no public CA vouches for it"
    return "; a public CA vouches for its certificate"


def cannot_look(why: str) -> Step:
    """Return the step that fails where the deployed release has an exotelctl that does not work."""
    look = "/usr/local/bin/exotelctl doctor"
    wrong = fail(f"exotelctl gave no answer: {why}", remedy=Remedy("On the host:", (look,), _DEPLOY.risky_commands))
    return Step("the host looks at itself", wrong=wrong)


def is_empty(steps: Sequence[Step]) -> bool:
    """Return True if nothing was ever deployed to the host."""
    wrong = steps[0].wrong
    return wrong is not None and wrong.says == _NOTHING


def up_to_fault(steps: Iterable[Step]) -> list[Step]:
    """Return ``steps`` up to the first that fails."""
    found = []
    for step in steps:
        found.append(step)
        if step.wrong:
            break
    return found


def also(facts: Facts) -> list[str]:
    """Return what the doctor finds wrong besides, which keeps no call of now from being taken: a line each."""
    told = (*_UNITS, *_PORT, *_ITSELF)
    now = {check.id for check in checks.ALL if check.of != "calls" or check.id == "journal"}
    results = [result for result in checks.judge(facts) if result.id in now and result.id not in told]
    worth_telling = [each for each in results if each.verdict == "fail" or (each.id, each.verdict) == ("port-moved", "warn")]
    return [each.says if each.id == "port-moved" else _with_look(each) for each in worth_telling]


def _with_look(result: Result) -> str:
    return f"{result.id}: {result.says} ({command('exotelctl', 'doctor', '--check', result.id)})"


def _first_wrong(by_id: dict[str, Result], ids: Sequence[str]) -> Result | None:
    """Return the first check that fails, or that could not be looked at though it must be."""
    return next((by_id[id] for id in ids if by_id[id].verdict in _bad_for(id)), None)


def _bad_for(id: str) -> tuple[Verdict, ...]:
    unseen: tuple[Verdict, ...] = ("unknown", "skipped") if id in _MUST_BE_SEEN else ()
    return ("fail", *unseen, *(("warn",) if id in _NOT_EVEN_WARN else ()))


def _elsewhere(facts: Facts) -> Finding | None:
    """Judge a port that no stranger holds, and PID 1 neither."""
    port = facts.port.get()
    if any(holder.pid == 1 and holder.ours for holder in port.holders):
        return None
    look = command("exotelctl", "port-clean", "--port", port.port, "--dry-run")
    return fail(f"exotel-ws.socket does not listen on {port.port}", remedy=Remedy("Look where it listens:", (look,)))


def _not_answered(facts: Facts, seen: Outside) -> Finding | None:
    if seen.unresolved:
        text = "Correct the name, or its DNS record. With an edge it is the first of edge_domain, else exotel_ws_public_host."
        return fail(f"{seen.url}: the name does not resolve: {seen.unresolved}", remedy=Remedy(text))
    if seen.connect:
        return outside.not_connected(facts, seen, seen.connect)
    assert seen.answers is not None
    ready = seen.answers.ready
    wrong = outside.not_healthy(facts, seen)
    if wrong is None and ready is not None and ready.status not in (200, 404):
        says = f"/ready says {ready.status} {ready.body}: it takes no new calls"
        return fail(says, remedy=Remedy("See what it waits for:", ("ansible-playbook playbooks/status.yml -i INVENTORY",)))
    return wrong


def _call(seen: Outside, rate: int) -> Step:
    claim, echo = "a call comes back bit-exact", seen.answers.echo if seen.answers else None
    wrong = outside.not_called(seen)
    if wrong or echo is None:
        return Step(claim, wrong=wrong)
    if outside.is_bot(seen):
        return Step(claim, f"the bot greets a caller at {rate} Hz, in messages that Exotel plays")
    trips = f"round trip p50 {echo.round_trip_ms:.1f} ms, p95 {echo.round_trip_p95_ms:.1f} ms"
    return Step(claim, f"a call of {echo.frames_sent * 20 / 1000:g} s at {rate} Hz came back bit-exact, {trips}")
