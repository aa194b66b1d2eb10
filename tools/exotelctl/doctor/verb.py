"""``exotelctl doctor``: look at everything, judge it, say what is wrong, what that proves, and what to do.

Exit codes: 0 all is ok, 1 something failed, 2 wrong usage, 3 refused (nothing was looked at), 4 the worst is a warning, 5 the
worst is an unknown: what could not be looked at never counts as ok.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import Final

from exotel_phone.command import command
from exotel_phone.exits import UsageFault
from exotel_phone.output import emit_json, say
from exotel_phone.target import parse
from exotel_phone.text import printable

from exotelctl.doctor import bundle, checks, report
from exotelctl.doctor.checks.edged import config_of
from exotelctl.doctor.facts import Facts, cloud, collect, observe, outside
from exotelctl.doctor.result import Result, Verdict
from exotelctl.options import DoctorOptions
from exotelctl.systemctl import require_systemd
from exotelctl.timestamp import since

_CODES: Final[tuple[tuple[Verdict, int], ...]] = (("fail", 1), ("unknown", 5), ("warn", 4))


def run(options: DoctorOptions) -> int:
    """Look, judge and print; return the exit code. Raises UsageFault and Refusal before anything was looked at."""
    _check(options)
    facts = _facts(options)
    if options.bundle is not None:
        bundle.write(options.bundle, facts)
    results = [result for result in checks.judge(facts) if not options.check or result.id in options.check]
    if options.json:
        emit_json({"host": facts.hostname, "collected_at": facts.collected_at, **report.as_json(results)})
    else:
        when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(facts.collected_at))
        say(f"🩺 {printable(facts.hostname)}, {when}" + ("" if facts.as_root else ", looked at without root"))
        say(report.text(results, verbose=options.verbose))
        if options.bundle is not None:
            judge = command("exotelctl", "doctor", "--replay", str(options.bundle))
            say(f"saved in {options.bundle}; judge it anywhere: {judge}")
    return exit_code(results)


def exit_code(results: Sequence[Result]) -> int:
    """Return the exit code of the worst verdict."""
    verdicts = {result.verdict for result in results}
    return next((code for verdict, code in _CODES if verdict in verdicts), 0)


def _check(options: DoctorOptions) -> None:
    wrong = [name for name in options.check or () if name not in checks.IDS]
    if wrong:
        raise UsageFault(f"--check {wrong[0]}: there are {', '.join(checks.IDS)}")
    if options.replay and options.bundle:
        raise UsageFault("--bundle saves a look at this host, --replay judges an older one: give one of them")
    if options.outside and not options.replay:
        raise UsageFault("--outside looks from another machine than the host: give the host's facts, --replay FILE")
    if options.cloud and not options.replay:
        raise UsageFault("--cloud is what another machine than the host found out: give the host's facts, --replay FILE")


def _facts(options: DoctorOptions) -> Facts:
    if options.replay is None:
        begins = since(options.since, time.time())
        require_systemd("doctor")
        if options.bundle is not None:
            bundle.require_new(options.bundle)
        return collect(begins)
    facts = bundle.read(options.replay)
    if options.cloud is not None:
        found = cloud.read(options.cloud)
        facts = dataclasses.replace(facts, cloud=observe(lambda: cloud.understand(found)))
    if options.outside is not None:
        target = parse(options.outside, options.credential_file, options.ca_file)
        edge = config_of(facts)
        http_port = edge.http_port if edge and edge.acme else 0
        facts = dataclasses.replace(facts, outside=observe(lambda: outside.look(target, http_port=http_port)))
    return facts
