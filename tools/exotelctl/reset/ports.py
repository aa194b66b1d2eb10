"""Clear a port of strangers with port-clean's means, and prove by binding it that nothing listens any more."""

import time
from collections.abc import Set
from typing import Final

from exotel_phone.command import command
from exotel_phone.text import plural, printable

from exotelctl.port import apply, proof, receipt, report
from exotelctl.port import gather as port_gather
from exotelctl.port.facts import Identity
from exotelctl.port.plan import plan as plan_port

_TERM_S: Final = 10.0
_BIND_S: Final = 5.0
_POLL_S: Final = 0.1


class PortHeld(Exception):
    """A port is not free; the text says who holds it."""


def clear(port: int, agreed: Set[Identity], who: str) -> list[apply.Ending]:
    """End whoever holds ``port`` and is of ``agreed``: SIGTERM, SIGCONT where stopped, a wait, SIGKILL.

    Raises PortHeld, before a signal is sent, where somebody else holds it too: nobody agreed to that. All units of ours must
    have ended.
    """
    facts = port_gather.gather(port, thorough=True)
    plan = plan_port(facts, force=False)
    others = [item for item in plan.decisions if item.holder.identity not in agreed or item.action == "refuse"]
    if others:
        names = "; ".join(f"pid {item.holder.pid} ({printable(item.holder.name, 40)}): {item.why}" for item in others)
        raise PortHeld(f"port {port} is held by what was not there when this was agreed to: {names}")
    for decision in plan.to_end:
        receipt.write(report.planned(port, who, decision))
    endings = apply.end([decision.holder for decision in plan.to_end], facts.protected, _TERM_S)
    for ending in endings:
        receipt.write(report.done(port, who, ending))
    return endings


def prove(port: int) -> str:
    """Bind ``port`` to prove that it is free, and say what was bound. A process that just ended gets 5 s. Raises PortHeld."""
    deadline = time.monotonic() + _BIND_S
    while not (tried := proof.bind(port)).free:
        if time.monotonic() > deadline:
            facts = port_gather.gather(port, thorough=True)
            who = f" ({plural(len(facts.holders), 'holder')}: {command('exotelctl', 'port-clean', '--port', port, '--dry-run')})"
            raise PortHeld(f"port {port} is not free: {tried.text}{who}")
        time.sleep(_POLL_S)
    return tried.text
