"""``exotelctl doctor``: look at everything, judge it, say what is wrong, what that proves, and what to do.

Exit codes: 0 all is ok, 1 something failed, 2 wrong usage, 3 refused (nothing was looked at), 4 the worst is a warning, 5 the
worst is an unknown: what could not be looked at never counts as ok.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exotel_phone.command import command
from exotel_phone.exits import UsageFault
from exotel_phone.output import emit_json, say
from exotel_phone.target import parse
from exotel_phone.text import printable

from exotelctl.doctor import bundle, checks, report, since
from exotelctl.doctor.facts import Facts, cloud, collect, observe, outside
from exotelctl.doctor.result import Result, Verdict
from exotelctl.systemctl import require_systemd

_CODES: Final[tuple[tuple[Verdict, int], ...]] = (("fail", 1), ("unknown", 5), ("warn", 4))


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What was typed. ``only`` are the checks to show, all if empty; ``cloud`` is what gcp_effective_firewall_info found out."""

    only: tuple[str, ...]
    since: str
    bundle: Path | None
    replay: Path | None
    outside: str | None
    cloud: Path | None
    credential_file: Path | None
    verbose: bool
    json: bool


def run(order: Order) -> int:
    """Look, judge, print; returns the exit code. Raises UsageFault and Refusal before anything was looked at."""
    _check(order)
    facts = _facts(order)
    if order.bundle is not None:
        bundle.write(order.bundle, facts)
    results = [result for result in checks.judge(facts) if not order.only or result.id in order.only]
    if order.json:
        emit_json({"host": facts.hostname, "collected_at": facts.collected_at, **report.as_json(results)})
    else:
        when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(facts.collected_at))
        say(f"🩺 {printable(facts.hostname)}, {when}" + ("" if facts.as_root else ", looked at without root"))
        say(report.text(results, verbose=order.verbose))
        if order.bundle is not None:
            say(f"saved in {order.bundle}; judge it anywhere: {command('exotelctl', 'doctor', '--replay', str(order.bundle))}")
    return exit_code(results)


def exit_code(results: Sequence[Result]) -> int:
    """By the worst verdict."""
    verdicts = {result.verdict for result in results}
    return next((code for verdict, code in _CODES if verdict in verdicts), 0)


def _check(order: Order) -> None:
    wrong = [name for name in order.only if name not in checks.IDS]
    if wrong:
        raise UsageFault(f"--check {wrong[0]}: there are {', '.join(checks.IDS)}")
    if order.replay and order.bundle:
        raise UsageFault("--bundle saves a look at this host, --replay judges an older one: give one of them")
    if order.outside and not order.replay:
        raise UsageFault("--outside looks from another machine than the host: give the host's facts, --replay FILE")
    if order.cloud and not order.replay:
        raise UsageFault("--cloud is what another machine than the host found out: give the host's facts, --replay FILE")


def _facts(order: Order) -> Facts:
    if order.replay is None:
        begins = since.parse(order.since, time.time())
        require_systemd("doctor")
        if order.bundle is not None:
            bundle.require_new(order.bundle)
        return collect(begins)
    facts = bundle.read(order.replay)
    if order.cloud is not None:
        found = cloud.read(order.cloud)
        facts = dataclasses.replace(facts, cloud=observe(lambda: cloud.understand(found)))
    if order.outside is not None:
        target = parse(order.outside, order.credential_file)
        facts = dataclasses.replace(facts, outside=observe(lambda: outside.look(target)))
    return facts
