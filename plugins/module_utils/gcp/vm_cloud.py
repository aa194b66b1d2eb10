"""The VM and its address at Google: what is there of them, and the steps of a plan."""

from __future__ import annotations

import time
from typing import Any

from .calls import Calls
from .faults import Fault
from .vm import SOON, Address, Vm, Wanted, address_body, seen_address, seen_vm, vm_body

_POLL_S = 1.0


class Cloud:
    """Reads and writes what one module run needs at Google for `wanted`. Every method may raise Fault."""

    def __init__(self, calls: Calls, wanted: Wanted) -> None:
        self._calls = calls
        self._wanted = wanted
        self._vm_at = {"zone": wanted.zone}
        self._address_at = {"region": wanted.region}

    def address(self) -> Address | None:
        found = self._get("Addresses", "address", **self._address_at)
        return seen_address(found) if found else None

    def vm(self) -> Vm | None:
        """Return the VM, once it is no longer being made: an earlier run may have been ended before Google was ready."""
        deadline = time.monotonic() + self._calls.session.timeout_s
        while True:
            found = self._get("Instances", "instance", **self._vm_at)
            vm = seen_vm(found) if found else None
            if vm is None or vm.status not in SOON or time.monotonic() > deadline:
                return vm
            time.sleep(_POLL_S)

    def do(self, step: str) -> None:
        """Carry out a step of a plan."""
        steps = {"reserve": self._reserve, "create": self._create, "delete": self._delete, "release": self._release}
        steps[step]()

    def _reserve(self) -> None:
        self._write("Addresses", "insert", **self._address_at, address_resource=address_body(self._wanted))

    def _create(self) -> None:
        address = self.address()
        if address is None:
            raise Fault(f"address {self._wanted.name} is gone again, somebody released it: run it again", reason="notFound")
        try:
            self._write("Instances", "insert", **self._vm_at, instance_resource=vm_body(self._wanted, address.ip))
        except Fault as fault:
            raise _goes_on(fault, self._wanted, address) from fault

    def _delete(self) -> None:
        self._write("Instances", "delete", **self._vm_at, instance=self._wanted.name)

    def _release(self) -> None:
        self._write("Addresses", "delete", **self._address_at, address=self._wanted.name)

    def _get(self, service: str, kind: str, **place: str) -> Any:
        try:
            return self._calls.read(service, "get", f"read of {self._named(service)}", **place, **{kind: self._wanted.name})
        except Fault as fault:
            if fault.reason == "notFound" and fault.resource.endswith(f"/{service.lower()}/{self._wanted.name}"):
                return None
            raise

    def _write(self, service: str, method: str, **request: Any) -> None:
        self._calls.write(service, method, f"{method} of {self._named(service)}", **request)

    def _named(self, service: str) -> str:
        return f"{'VM' if service == 'Instances' else 'address'} {self._wanted.name}"


def _goes_on(fault: Fault, wanted: Wanted, address: Address) -> Fault:
    """Return `fault`, which met the VM, saying what is there already."""
    place = f"; choose another zone of {wanted.region}" if fault.reason.startswith("ZONE_RESOURCE_POOL_EXHAUSTED") else ""
    told = Fault(
        f"{fault}{place}. The address {address.ip} stays reserved, which costs money: run it again to go on from there, "
        "or with state=absent to release it",
        reason=fault.reason,
        code=fault.code,
    )
    told.result = {"address": address.ip}
    return told
