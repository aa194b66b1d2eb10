"""How near the bounds are."""

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn
from exotelctl.text import plural

_NEAR = 0.8
_FULL_CODE = 1013
_MEMORY_GONE, _MEMORY_LOW = 0.03, 0.06


@check(
    "call-limit",
    "limits",
    of="workers",
    claim="no call was turned away for want of room",
    does_not_prove="that the host can carry limits.max_calls",
)
def call_limit(facts: Facts) -> Finding:
    deployment = facts.deployment.get()
    remedy = Remedy(
        "Raise exotel_ws_max_calls (a bound of each worker) or exotel_ws_workers, and deploy: no call is cut.",
        ("exotelctl status",),
        ("ansible-playbook deploy.yml -i INVENTORY",),
    )
    calls = facts.calls.value
    refused = len(calls.refused("full")) + sum(conn.code == _FULL_CODE for conn in calls.outside) if calls else 0
    if refused:
        says = f"{plural(refused, 'call')} turned away: limits.max_calls = {deployment.max_calls} in each worker"
        return fail(says, remedy=remedy)
    workers = [worker for worker in facts.workers.get() if not worker.silent]
    if not workers:
        return unknown("no worker says how many calls it has")
    fullest = max(workers, key=lambda worker: worker.calls_live)
    says = (
        f"at most {fullest.calls_live} of {deployment.max_calls} calls in a worker, {sum(w.calls_live for w in workers)} in all"
    )
    if fullest.calls_live >= _NEAR * deployment.max_calls:
        return warn(says, fullest.instance, remedy=remedy)
    if calls is None:
        raise NotSeen(f"{says}; refusals were not seen: {facts.calls.missing}", facts.calls.needs)
    return ok(says)


@check(
    "file-limit",
    "limits",
    of="workers",
    claim="no worker is near its limit of open files",
    does_not_prove="that the limit fits limits.max_connections",
)
def file_limit(facts: Facts) -> Finding:
    remedy = Remedy(
        "A connection is a file. The unit allows 65536: a drop-in or a leak is behind this.",
        ("systemctl show -p LimitNOFILE 'exotel-ws@*'", "exotelctl status"),
        ("ansible-playbook deploy.yml -i INVENTORY",),
    )
    said = [line for line in (facts.calls.value.errors if facts.calls.value else ()) if "Too many open files" in line.text]
    said += [line for line in (facts.units.value.lines if facts.units.value else ()) if "Too many open files" in line.text]
    if said:
        return fail(f"{said[-1].unit}: too many open files", said[-1].text, remedy=remedy)
    workers = [worker for worker in facts.workers.get() if worker.files_limit]
    if not workers:
        return skipped("no worker runs")
    fullest = max(workers, key=lambda worker: worker.files / worker.files_limit)
    says = f"at most {fullest.files} of {fullest.files_limit} files open"
    share = fullest.files / fullest.files_limit
    return fail(says, fullest.instance, remedy=remedy) if share >= _NEAR else ok(says)


@check(
    "memory",
    "limits",
    of="memory",
    claim="memory is to be had",
    does_not_prove="that it lasts: a leak takes days",
)
def memory(facts: Facts) -> Finding:
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
