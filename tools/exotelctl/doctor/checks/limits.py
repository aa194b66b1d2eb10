"""Check how near the bounds are."""

import ipaddress
from collections import Counter
from collections.abc import Sequence

from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import STATUS, deploy, of_last_hour
from exotelctl.doctor.checks.grade import graded, times
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.journal import Bound
from exotelctl.doctor.facts.units import Line
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn

_NEAR = 0.8
_FULL_CODE = 1013
_TOO_MANY = "Too many open files"
_RECENT_S = 60.0
_FELT_BY_ALL = ("unproven_total", "unproven_call", "files", "log_call", "log_lost")
"""Bounds that bite when the whole worker, not one source, is at its limit."""
_LOST = "log_lost"
"""Bound that no setting raises: the journal did not take lines."""
_MEMORY_GONE, _MEMORY_LOW = 0.03, 0.06


@check("call-limit", "limits", of="workers")
def call_limit(facts: Facts) -> Finding:
    """Claim: no call was turned away for want of room. Does not prove: that the host can carry limits.max_calls."""
    deployment = facts.deployment.get()
    remedy = deploy(
        "Raise exotel_ws_max_calls (a bound of each worker; in ai mode max_calls of exotel_ws_ai) or exotel_ws_workers, and "
        "deploy: no call is cut.",
        STATUS,
    )
    calls = facts.calls.value
    refused = len(calls.refused("full")) + sum(conn.code == _FULL_CODE for conn in calls.outside) if calls else 0
    crowds = [f"{worker.instance}: {worker.crowd}" for worker in facts.workers.value or () if worker.crowd]
    if refused:
        says = f"{plural(refused, 'call')} turned away: a worker takes {deployment.max_calls}"
        return fail(says, *crowds, remedy=remedy)
    workers = [worker for worker in facts.workers.get() if not worker.silent]
    if not workers:
        return unknown("no worker says how many calls it has")
    fullest = max(workers, key=lambda worker: worker.calls_live)
    says = (
        f"at most {fullest.calls_live} of {deployment.max_calls} calls in a worker, {sum(w.calls_live for w in workers)} in all"
    )
    if fullest.calls_live >= _NEAR * deployment.max_calls:
        return warn(says, fullest.instance, *crowds, remedy=remedy)
    if calls is None:
        raise NotSeen(f"{says}; refusals were not seen: {facts.calls.missing}", facts.calls.needs)
    return ok(says)


@check("bounds", "limits")
def bounds(facts: Facts) -> Finding:
    """Claim: what the server keeps from strangers was not kept from callers. Does not prove: that every stranger was kept out."""
    seen = facts.calls.get()
    bitten = [bound for bound in seen.bounds if bound.count]
    if not bitten:
        return ok("no bound on what one source may use up has bitten")
    callers = {conn.remote for conn in seen.started}
    felt = [bound for bound in bitten if _among(bound.remote, callers) or bound.name in _FELT_BY_ALL]
    if not felt:
        count = sum(bound.count for bound in bitten)
        return ok(f"{plural(count, 'time')} a bound bit, only on addresses that made no call", *_by_name(bitten))
    says = f"{plural(sum(bound.count for bound in felt), 'time')} a bound bit that callers may have felt"
    remedy = deploy(_cure(felt), of_last_hour("EVENT=bound"), STATUS)
    return graded(times(felt), times(seen.started), says, _by_name(felt), remedy)


def _cure(felt: Sequence[Bound]) -> str:
    """Say what to do about bounds that callers felt: raise them, or look after the journal that lost lines."""
    names = sorted({bound.raised_by for bound in felt if bound.raised_by and bound.name != _LOST})
    settings = [name for name in names if "=" not in name]
    raised = [f"{' or '.join(settings)} in exotel_ws_settings"] if settings else []
    raised += [name for name in names if "=" in name]
    cures = []
    if any(bound.name != _LOST for bound in felt):
        cures.append(
            "Look who it is. Strangers: nothing to do, or close the firewall to them. Callers, or a proxy in front: raise "
            f"{' or '.join(raised) or 'what the line names'}, or name the proxy in exotel_ws_proxies."
        )
    if any(bound.name == _LOST for bound in felt):
        cures.append("Lines were lost in the journal: see exotelctl doctor --check journal.")
    return " ".join(cures)


def _among(source: str, callers: set[str]) -> bool:
    """Return True if one of the callers' addresses belongs to the source: an address, or a /64 network of IPv6."""
    if "/" not in source:
        return source in callers
    network = ipaddress.ip_network(source, strict=False)
    return any(ipaddress.ip_address(caller.partition("%")[0]) in network for caller in callers if ":" in caller)


def _by_name(bitten: Sequence[Bound]) -> list[str]:
    """Report for each bound how often it bit, and which source most."""
    lines = []
    for name in sorted({bound.name for bound in bitten}):
        counts: Counter[str] = Counter()
        for bound in bitten:
            if bound.name == name:
                counts[bound.remote or "several addresses"] += bound.count
        most, count = counts.most_common(1)[0]
        whom = f"{most} {count} of them" if len(counts) > 1 else most
        lines.append(f"{name}: {plural(counts.total(), 'time')}, {whom}")
    return lines


@check("file-limit", "limits", of="workers")
def file_limit(facts: Facts) -> Finding:
    """Claim: no worker is near its limit of open files. Does not prove: that the limit fits limits.max_connections."""
    text = "A connection is a file. The unit allows 65536: a drop-in or a leak is behind this."
    remedy = deploy(text, "systemctl show -p LimitNOFILE 'exotel-ws@*'", STATUS)
    said = _said_too_many(facts)
    workers = [worker for worker in facts.workers.get() if worker.files_limit]
    if said and facts.collected_at - said[-1].at < _RECENT_S:
        return fail(f"{said[-1].unit}: too many open files", _telling(said[-1]), remedy=remedy)
    if not workers:
        return skipped("no worker runs")
    fullest = max(workers, key=lambda worker: worker.files / worker.files_limit)
    says = f"at most {fullest.files} of {fullest.files_limit} files open"
    if fullest.files >= _NEAR * fullest.files_limit:
        return fail(says, fullest.instance, remedy=remedy)
    if said:
        ago = duration(facts.collected_at - said[-1].at)
        return warn(f"{said[-1].unit} had too many open files {ago} ago; {says} now", _telling(said[-1]), remedy=remedy)
    return ok(says)


def _said_too_many(facts: Facts) -> list[Line]:
    """Return the lines in which a worker logged or printed it, oldest first."""
    calls, units = facts.calls.value, facts.units.value
    lines = (*(calls.errors if calls else ()), *(units.lines if units else ()))
    return sorted((line for line in lines if _TOO_MANY in line.text), key=lambda line: line.at)


def _telling(line: Line) -> str:
    """Return the one line of a traceback that says it."""
    return next(part for part in line.text.splitlines() if _TOO_MANY in part)


@check("memory", "limits", of="memory")
def memory(facts: Facts) -> Finding:
    """Claim: memory is to be had. Does not prove: that it lasts: a leak takes days."""
    seen = facts.memory.get()
    if not seen.total:
        return skipped("no memory is counted here")
    says = f"{seen.available >> 20} of {seen.total >> 20} MiB to be had of {seen.limit}"
    share = seen.available / seen.total
    remedy = Remedy(
        "Find what takes it; next the kernel ends a process, and the server is one.",
        ("ps -eo pid,rss,unit,args --sort=-rss | head", "systemd-cgtop -m -n 1"),
    )
    if share < _MEMORY_GONE:
        return fail(says, remedy=remedy)
    return warn(says, remedy=remedy) if share < _MEMORY_LOW else ok(says)
