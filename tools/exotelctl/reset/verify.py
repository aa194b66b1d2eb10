"""Prove from this host that calls are taken again: ``/health``, the protocol test and one short call."""

import time
import tomllib
from pathlib import Path

from exotel_phone.exits import UsageFault
from exotel_phone.target import SAMPLE_RATES, Target, parse

from exotelctl.doctor.facts import Facts, outside
from exotelctl.doctor.facts.deployment import CREDENTIALS
from exotelctl.doctor.result import Remedy, fail
from exotelctl.host_settings import load
from exotelctl.verify import steps
from exotelctl.verify.steps import Step


def verify(settings: Path) -> list[Step]:
    """Try the server that ``settings`` belong to, up to the first step that fails."""
    now = time.time()
    try:
        target = _target(settings)
    except UsageFault as fault:
        return [Step("the server's settings can be read", wrong=fail(str(fault), remedy=Remedy("")))]
    facts = Facts(hostname="", as_root=True, collected_at=now, since=now)
    answers, *others = steps.up_to_fault(steps.from_here(facts, outside.look(target), target))
    return others or [answers]


def _target(settings: Path) -> Target:
    """Return the server as a caller on this host reaches it: the first path it serves, a credential where it asks for one."""
    host = load(settings)
    served = tomllib.loads(settings.read_text()).get("paths") or [""]
    target = parse(host.local_target.url() + served[0], CREDENTIALS if host.asks_credential else None)
    return target.with_rate(SAMPLE_RATES[0])
