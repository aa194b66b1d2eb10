"""Gather all facts at once, as plain data that can be written as JSON and judged on another machine.

At the top only the standard library is loaded: a release that lacks a module is one of the things to be told.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from exotelctl.doctor.facts import address, call, deployment, edge, firewall, host, journal, log, port, units, workers
from exotelctl.doctor.facts.address import Address
from exotelctl.doctor.facts.call import Answers
from exotelctl.doctor.facts.cloud import Cloud
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.edge import EdgeFacts
from exotelctl.doctor.facts.fact import Fact, NotSeen
from exotelctl.doctor.facts.firewall import Firewall
from exotelctl.doctor.facts.host import Clock, FileSystem, Memory
from exotelctl.doctor.facts.journal import Calls
from exotelctl.doctor.facts.log import Log
from exotelctl.doctor.facts.outside import Outside
from exotelctl.doctor.facts.port import Port
from exotelctl.doctor.facts.units import Units
from exotelctl.doctor.facts.workers import Worker

T = TypeVar("T")

_UNSEEN: Final[Fact[Any]] = Fact()
_BOUND_S: Final = 8.0
"""For all collectors together, which run at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One look at a host. ``outside`` and ``cloud`` are None where nobody asked from another machine, or Google; ``edge`` is in
    facts of a release from before there was one.
    """

    hostname: str
    as_root: bool
    collected_at: float
    since: float
    deployment: Fact[Deployment] = _UNSEEN
    units: Fact[Units] = _UNSEEN
    port: Fact[Port] = _UNSEEN
    workers: Fact[list[Worker]] = _UNSEEN
    calls: Fact[Calls] = _UNSEEN
    loopback: Fact[Answers] = _UNSEEN
    log: Fact[Log] = _UNSEEN
    firewall: Fact[Firewall] = _UNSEEN
    file_systems: Fact[list[FileSystem]] = _UNSEEN
    memory: Fact[Memory] = _UNSEEN
    clock: Fact[Clock] = _UNSEEN
    address: Fact[Address] = _UNSEEN
    edge: Fact[EdgeFacts] | None = None
    outside: Fact[Outside] | None = None
    cloud: Fact[Cloud] | None = None


def collect(since: float) -> Facts:
    """Look at everything, each bounded in time; what breaks or hangs becomes the reason why a fact is missing."""
    deployed = observe(deployment.look)
    known = deployed.value or Deployment()
    looks: dict[str, Callable[[], object]] = {
        "units": partial(units.look, since, known.instances),
        "port": partial(port.look, known.port),
        "workers": workers.look,
        "calls": partial(journal.look, since),
        "loopback": partial(call.look_here, known),
        "firewall": firewall.look,
        "file_systems": host.file_systems,
        "memory": host.memory,
        "clock": host.clock,
        "address": partial(address.look, known.public_url),
        "edge": partial(edge.look, since),
    }
    running = {name: _begin(name, look) for name, look in looks.items()}
    deadline = time.monotonic() + _BOUND_S
    placed, asked = (partial(_wait, running[name], deadline) for name in ("loopback", "workers"))
    running["log"] = _begin("log", partial(log.look, placed, asked))
    found = {name: _wait(fact, deadline) for name, fact in running.items()}
    return Facts(
        hostname=socket.gethostname(),
        as_root=os.geteuid() == 0,
        collected_at=time.time(),
        since=since,
        deployment=deployed,
        **found,
    )


def observe(look: Callable[[], T]) -> Fact[T]:
    """Return the fact that ``look`` returns; whatever it raises is the reason why there is none."""
    at, began = time.time(), time.perf_counter()
    value: T | None = None
    missing = needs = ""
    try:
        value = look()
    except NotSeen as not_seen:
        missing, needs = str(not_seen), not_seen.needs
    except Exception as error:  # a collector with a fault must not hide the others, nor its own check
        missing = f"looking at it failed: {type(error).__name__}: {error}"
    return Fact(value, missing, needs, at, round((time.perf_counter() - began) * 1000, 1))


def _begin(name: str, look: Callable[[], object]) -> Future[Fact[Any]]:
    """Look in a thread that does not keep the process alive if it hangs."""
    fact: Future[Fact[Any]] = Future()
    threading.Thread(target=lambda: fact.set_result(observe(look)), name=f"look at {name}", daemon=True).start()
    return fact


def _wait(fact: Future[Fact[Any]], deadline: float) -> Fact[Any]:
    """Wait until ``deadline`` (monotonic) at most, and return the fact or why there is none."""
    try:
        return fact.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        why = f"looking at it took more than {_BOUND_S:g} s"
        return Fact(missing=why, at=time.time() - _BOUND_S, ms=_BOUND_S * 1000)
