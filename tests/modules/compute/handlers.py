"""Functions that answer the methods of the API. The server refuses all other methods as not made yet."""

from __future__ import annotations

from collections.abc import Callable

from tests.modules.compute import addresses, firewalls, instances, networks
from tests.modules.compute.answers import Call
from tests.modules.compute.discovery import Json
from tests.modules.compute.store import Store

Handler = Callable[[Store, Call], Json]


def _operation_get(store: Store, call: Call) -> Json:
    return store.operations.get(call)


def _operation_wait(store: Store, call: Call) -> Json:
    return store.operations.wait(call)


OPERATIONS: dict[str, Handler] = {
    f"compute.{scope}Operations.{verb}": handler
    for scope in ("global", "zone", "region")
    for verb, handler in (("get", _operation_get), ("wait", _operation_wait))
}

HANDLERS: dict[str, Handler] = OPERATIONS | firewalls.HANDLERS | networks.HANDLERS | instances.HANDLERS | addresses.HANDLERS
