"""Firewall rules at Google: read, made, changed, replaced and removed, whoever else does so at the same time."""

from __future__ import annotations

from typing import Any

from .calls import Calls
from .faults import Fault
from .rule import Words, fixed_fields, to_resource

_SERVICE = "Firewalls"


class Firewalls:
    """The firewall rule `name`. What changes it raises Fault."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name
        self._project = calls.session.project

    def get(self) -> dict[str, Any] | None:
        """Return the rule as Google has it, its keys as the Python client names them, or None."""
        try:
            found = self._calls.read(_SERVICE, "get", f"read of firewall rule {self._name}", firewall=self._name)
        except Fault as fault:
            if self._is_missing(fault):
                return None
            raise
        return dict(type(found).to_dict(found))

    def write(self, before: Words | None, after: Words) -> None:
        """Make of the rule as it is `before` the rule as it shall be `after`."""
        if before is None:
            self._insert(after, "insert of")
        elif fixed_fields(before, after):
            self._replace(before, after)
        else:
            self._calls.write(
                _SERVICE,
                "update",
                f"update of firewall rule {self._name}",
                firewall=self._name,
                firewall_resource=to_resource(self._name, after, self._project),
            )

    def delete(self) -> bool:
        """Remove the rule; return False if somebody else had done so."""
        try:
            self._calls.write(_SERVICE, "delete", f"delete of firewall rule {self._name}", firewall=self._name)
        except Fault as fault:
            if self._is_missing(fault):
                return False
            raise
        return True

    def is_overtaken(self, fault: Fault) -> bool:
        """Tell whether `fault` means that somebody made or removed the rule since it was read."""
        return fault.reason == "alreadyExists" or self._is_missing(fault)

    def _is_missing(self, fault: Fault) -> bool:
        return fault.reason == "notFound" and fault.resource in ("", f"projects/{self._project}/global/firewalls/{self._name}")

    def _insert(self, words: Words, what: str) -> None:
        resource = to_resource(self._name, words, self._project)
        self._calls.write(_SERVICE, "insert", f"{what} firewall rule {self._name}", firewall_resource=resource)

    def _replace(self, before: Words, after: Words) -> None:
        self._check_network(before, after)
        try:
            self.delete()
        except Fault as fault:
            raise _retold(fault, "the new rule was not inserted in its place") from fault
        try:
            self._insert(after, "insert of")
        except Fault as fault:
            if fault.reason == "alreadyExists":
                raise
            raise self._put_back(before, fault) from fault

    def _check_network(self, before: Words, after: Words) -> None:
        """Find out that the new network is missing while the old rule still holds."""
        network = after["network"]
        if network != before["network"]:
            try:
                self._calls.read("Networks", "get", f"read of network {network}", network=network)
            except Fault as fault:
                # Somebody may have the right to change rules, and not to read networks.
                if fault.reason != "forbidden":
                    raise

    def _put_back(self, before: Words, fault: Fault) -> Fault:
        look = f"gcloud compute firewall-rules describe {self._name} --project={self._project}"
        unknown = f"the old rule was deleted, and whether the new one is there is not known: {look}"
        if fault.reason == "timeout":
            return _retold(fault, unknown)
        try:
            # Where the new rule was made after all, Google refuses a second one of its name, so this cannot do harm.
            self._insert(before, "insert of the old")
        except Fault as second:
            if fault.carried_out:
                return _retold(fault, unknown)
            if second.carried_out or second.reason == "timeout":
                return _retold(fault, f"the old rule was deleted, and whether it was put back ({second}) is not known: {look}")
            gone = _retold(fault, f"the old rule was deleted and could not be put back ({second}); there is no such rule now")
            gone.result["rule"] = None
            return gone
        return _retold(fault, "the old rule, which was deleted for the new one, was put back")


def _retold(fault: Fault, more: str) -> Fault:
    told = Fault(f"{fault}; {more}", reason=fault.reason, code=fault.code)
    told.result = {**fault.result, "replaced": False}
    return told
