"""Operations: a write answers with one, and takes effect when the operation has ended.

An operation ends when somebody looks at it: a client that does not wait finds nothing changed. It can be made to fail, or never
to end.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.modules.compute.answers import ApiError, Call, invalid, not_found
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import last, link, now, numeric_id

# HTTP errors of failed operations by the code of the error. Other codes count as a bad request.
HTTP_ERRORS = {
    "FORBIDDEN": (403, "FORBIDDEN"),
    "INTERNAL_ERROR": (500, "INTERNAL SERVER ERROR"),
    "PERMISSIONS_ERROR": (403, "FORBIDDEN"),
    "QUOTA_EXCEEDED": (403, "FORBIDDEN"),
    "RESOURCE_ALREADY_EXISTS": (409, "CONFLICT"),
    "RESOURCE_NOT_FOUND": (404, "NOT FOUND"),
    "ZONE_RESOURCE_POOL_EXHAUSTED": (503, "SERVICE UNAVAILABLE"),
}


@dataclass
class Operation:
    """Operation as the API describes it, with the effect of its end."""

    said: Json
    target: str
    apply: Callable[[], None]
    looks: int
    error: Json | None = None

    @property
    def ended(self) -> bool:
        return bool(self.said["status"] == "DONE")

    def end(self) -> None:
        self.said |= {"status": "DONE", "progress": 100, "endTime": now()}
        if self.error is None:
            self.apply()
            return
        status, phrase = HTTP_ERRORS.get(self.error["code"], (400, "BAD REQUEST"))
        self.said |= {"error": {"errors": [self.error]}, "httpErrorStatusCode": status, "httpErrorMessage": phrase}


@dataclass
class Operations:
    """All operations of a server.

    `looks_until_done` is how many looks find a new operation running. `wait_seconds` is how long a wait takes for one that does
    not end (Google's: two minutes).
    """

    looks_until_done: int = 0
    wait_seconds: float = 0.2
    stalled: bool = False
    _all: dict[str, Operation] = field(default_factory=dict)
    _requests: dict[tuple[str, str], Operation] = field(default_factory=dict)
    _errors: dict[str, list[Json]] = field(default_factory=dict)

    def fail_next(self, kind: str, code: str, message: str) -> None:
        self._errors.setdefault(kind, []).append({"code": code, "message": message})

    def repeated(self, call: Call) -> Json | None:
        """Return the present operation of an earlier request with the same requestId.

        Raises ApiError: the requestId is no UUID, or is the UUID of zeros.
        """
        request_id = call.query.get("requestId")
        if request_id is None:
            return None
        if not _is_uuid(request_id):
            raise invalid("requestId", request_id, "Must be a valid UUID other than 00000000-0000-0000-0000-000000000000.")
        before = self._requests.get((call.project, request_id))
        return dict(before.said) if before else None

    def begin(self, call: Call, kind: str, target: str, target_id: str, apply: Callable[[], None]) -> Json:
        """Begin an operation of `kind` ("insert") on `target` ("projects/…").

        Raises ApiError: another operation on the target has not ended.
        """
        if any(other.target == target and not other.ended for other in self._all.values()):
            raise ApiError(400, "resourceNotReady", f"The resource '{target}' is not ready")
        home = _home(call)
        name = f"operation-{uuid.uuid4()}"
        place = {key: link(f"projects/{call.project}/{key}s/{call.path[key]}") for key in ("zone", "region") if key in call.path}
        said = {
            "kind": "compute#operation",
            "id": numeric_id(),
            "name": name,
            "operationType": kind,
            "targetLink": link(target),
            "targetId": target_id,
            "status": "RUNNING",
            "user": call.principal,
            "progress": 0,
            "insertTime": now(),
            "startTime": now(),
            "selfLink": link(f"{home}/operations/{name}"),
            **place,
        }
        errors = self._errors.get(kind)
        operation = Operation(said, target, apply, self.looks_until_done, errors.pop(0) if errors else None)
        self._all[f"{home}/operations/{name}"] = operation
        if request_id := call.query.get("requestId"):
            self._requests[call.project, request_id] = operation
        return dict(said)

    def get(self, call: Call) -> Json:
        return dict(self._looked_at(call, wait=False).said)

    def wait(self, call: Call) -> Json:
        return dict(self._looked_at(call, wait=True).said)

    def _looked_at(self, call: Call, *, wait: bool) -> Operation:
        path = f"{_home(call)}/operations/{call.path['operation']}"
        operation = self._all.get(path)
        if operation is None:
            raise not_found(path)
        if not operation.ended and not self.stalled:
            if wait or operation.looks == 0:
                operation.end()
            operation.looks -= 1
        return operation


def _home(call: Call) -> str:
    """Return the collection of an operation of this call."""
    for key in ("zone", "region"):
        if key in call.path:
            return f"projects/{call.project}/{key}s/{last(call.path[key])}"
    return f"projects/{call.project}/global"


def _is_uuid(text: str) -> bool:
    try:
        return uuid.UUID(text).int != 0
    except ValueError:
        return False
