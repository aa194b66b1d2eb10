"""``exotelctl protocol-test``: judge whether a server is fit for Exotel. One PASS or FAIL line a check, totals, an exit code.

📤 Sending: MEDIA_1
📨 Received response for MEDIA_1
✅ MEDIA_1 - PASS
"""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence

from exotel_phone.exits import Exit, UsageFault
from exotel_phone.options import ProtocolTestOptions
from exotel_phone.output import emit_json, say
from exotel_phone.protocol_test.exchange import Check
from exotel_phone.protocol_test.run import Listener, ProtocolTest
from exotel_phone.target import SAMPLE_RATES, Target, parse

_RULE = "====================================="


def run(options: ProtocolTestOptions) -> Exit:
    """Carry the test out at the URL's sample rate (8000 Hz if it names none) or at all three. Raises UsageFault."""
    if not 0.05 <= options.timeout <= 60:
        raise UsageFault(f"--timeout {options.timeout:g}: between 0.05 and 60 seconds for an answer")
    target = parse(options.url, options.credential_file, options.ca_file)
    rates = SAMPLE_RATES if options.all_rates else (target.rate or SAMPLE_RATES[0],)
    if not options.json:
        say(f"🧪 Exotel Protocol Compliance Test\n{_RULE}\n{target.shown}\n")

    def tell(told: str | Check) -> None:
        if not options.json:
            say(told if isinstance(told, str) else line(told, len(rates) > 1) + "\n")

    checks = asyncio.run(_test(target, rates, tell, options.timeout))
    if options.json:
        emit_json(summary(target, checks))
    else:
        say(totals(checks))
    return Exit.OK if compliant(checks) else Exit.PROBLEM


async def _test(target: Target, rates: Sequence[int], listener: Listener, patience_s: float) -> list[Check]:
    checks: list[Check] = []
    for rate in rates:
        checks += await ProtocolTest(target, rate, listener, patience_s=patience_s).run()
    return checks


def line(check: Check, with_rate: bool) -> str:
    """Return one check as one line."""
    name = f"{check.name} @ {check.rate} Hz" if with_rate else check.name
    cause = "" if check.finding is None else f": {check.finding.cause}"
    said = {"pass": f"✅ {name} - PASS", "fail": f"❌ {name} - FAIL{cause}", "not-run": f"⏭️  {name} - NOT RUN{cause}"}
    return said[check.outcome]


def totals(checks: Sequence[Check]) -> str:
    """Return the closing lines."""
    count = Counter(check.outcome for check in checks)
    lines = [_RULE, "📊 Test Results", _RULE, f"✅ Passed: {count['pass']}", f"❌ Failed: {count['fail']}"]
    if count["not-run"]:
        lines.append(f"⏭️  Not run: {count['not-run']}")
    lines += [f"📈 Total: {len(checks)}", ""]
    if compliant(checks):
        lines.append("🎉 All tests passed! Server is protocol compliant.")
    else:
        names = dict.fromkeys(check.name for check in checks if check.outcome == "fail")
        lines.append(f"💥 Server is not protocol compliant. Failed: {', '.join(names)}")
    return "\n".join(lines)


def compliant(checks: Sequence[Check]) -> bool:
    """Return True if every check ran and passed."""
    return bool(checks) and all(check.outcome == "pass" for check in checks)


def summary(target: Target, checks: Sequence[Check]) -> dict[str, object]:
    """Return the test as JSON."""
    count = Counter(check.outcome for check in checks)
    return {
        "url": target.shown,
        "compliant": compliant(checks),
        "passed": count["pass"],
        "failed": count["fail"],
        "not_run": count["not-run"],
        "total": len(checks),
        "checks": [dataclasses.asdict(check) for check in checks],
    }
