"""``exotelctl edge``: what the edge of this host serves, and whom it keeps out; ``exotelctl edge admit`` lets one in again.

edge         wss://voice.example.com, port 443: haproxy.service is active for 3 d 4 h (HAProxy 3.0.11)
certificate  acme, 61 days left (until 2027-01-29), for voice.example.com, by CN=E7,O=Let's Encrypt,C=US
server       127.0.0.1:8765: exotel-ws UP
connections  47 now, 318 turned away before TLS, 4 known good sources
old workers  none
put out      1 source
  203.0.113.9  12 bad keys; back within 7 min 12 s if it is quiet; let it in now: exotelctl edge admit 203.0.113.9
"""

import time

from ansible_collections.exotel.voicebot.plugins.module_utils import audit
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from ansible_collections.exotel.voicebot.plugins.module_utils.requester import requester
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say, warn

from exotelctl.edge import config, facts, report
from exotelctl.edge.admit import admit, parse
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.judge import problems
from exotelctl.edge.runtime import Silent
from exotelctl.options import EdgeOptions
from exotelctl.systemctl import require_root


def run(options: EdgeOptions) -> Exit:
    """Look at the edge, or let a source in. Return PROBLEM where something is wrong with it. Raises Refusal and UsageFault."""
    if options.action == "admit" and options.address is None:
        raise UsageFault("admit lets one source in: name its address, such as exotelctl edge admit 203.0.113.9")
    if options.action is None and options.address is not None:
        raise UsageFault("an address goes with admit: exotelctl edge admit ADDRESS")
    source = parse(options.address) if options.address else ""
    known = _config()
    require_root("edge")
    return _admit(known, source, json=options.json) if source else _show(known, json=options.json)


def _config() -> EdgeConfig:
    try:
        known = config.load()
    except config.Unusable as unusable:
        raise Refusal(str(unusable)) from None
    if known is None:
        raise Refusal(
            f"this host has no edge ({config.CONFIG} is not there): type it on a host with exotel_ws_edge: true, "
            "or make one with deploy.yml"
        )
    return known


def _show(known: EdgeConfig, *, json: bool) -> Exit:
    edge, now = facts.look(), time.time()
    wrong = problems(edge, known, now)
    if json:
        emit_json(report.as_json(edge, known, wrong, now))
    else:
        say(report.as_text(edge, known, wrong, now))
        if wrong:
            say("   next: exotelctl doctor")
    return Exit.PROBLEM if wrong else Exit.OK


def _admit(known: EdgeConfig, source: str, *, json: bool) -> Exit:
    try:
        was = admit(known, source)
    except Silent as silent:
        if json:
            emit_json({"ok": False, "address": source, "was": [], "problem": str(silent)})
        else:
            say(f"❌ {silent}")
        return Exit.PROBLEM
    if was:
        _record(source)
    why = ", ".join(map(report.why, was))
    if json:
        emit_json({"ok": True, "address": source, "was": [one.why for one in was], "problem": None})
    else:
        say(f"✅ {source} may come again: it was put out for {why}" if was else f"✅ {source} was not put out")
    return Exit.OK


def _record(source: str) -> None:
    try:
        audit.record(Paths().audit, who=requester(), action="edge admit", reason=source, outcome="done")
    except OSError as error:
        warn(f"the audit file could not be written: {error}")
