"""Faults that a test orders: an error instead of an answer, or no answer at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.modules.compute.answers import ApiError
from tests.modules.compute.discovery import Json


@dataclass
class Fault:
    """A fault for the next `times` requests of `method` whose path holds `path` (a regular expression).

    `error` None: the connection is closed without an answer. `carried_out`: the request is carried out all the same.
    """

    method: str
    path: re.Pattern[str]
    times: int
    error: ApiError | None = None
    carried_out: bool = False


@dataclass
class Faults:
    """The faults that were ordered and have not happened yet, the oldest first."""

    _ordered: list[Fault] = field(default_factory=list)

    def fail(self, method: str, path: str, error: ApiError, times: int) -> None:
        self._ordered.append(Fault(method, re.compile(path), times, error))

    def drop(self, method: str, path: str, times: int, *, carried_out: bool) -> None:
        self._ordered.append(Fault(method, re.compile(path), times, carried_out=carried_out))

    def next(self, method: str, path: str) -> Fault | None:
        """Return and use up the fault that this request meets."""
        for fault in self._ordered:
            if fault.times and fault.method == method and fault.path.search(path):
                fault.times -= 1
                return fault
        return None

    @property
    def left(self) -> list[str]:
        """Return the faults that no request met."""
        return [f"{fault.method} {fault.path.pattern}" for fault in self._ordered if fault.times]


REASONS: Mapping[int, tuple[str, str]] = {
    400: ("badRequest", "Bad Request"),
    401: ("authError", "Invalid Credentials"),
    403: ("forbidden", "Forbidden"),
    404: ("notFound", "Not Found"),
    409: ("conflict", "Conflict"),
    412: ("conditionNotMet", "Precondition Failed"),
    429: ("rateLimitExceeded", "Rate Limit Exceeded"),
    500: ("backendError", "Internal Error"),
    502: ("backendError", "Bad Gateway"),
    503: ("backendError", "Service Unavailable"),
    504: ("backendError", "Gateway Timeout"),
}


def error(
    status: int,
    reason: str,
    message: str,
    headers: Mapping[str, str] | None,
    details: list[Json] | None = None,
    raw: str | None = None,
) -> ApiError:
    """The error of a status, with the reason and the message that Google has for it where none are given."""
    usual_reason, usual_message = REASONS.get(status, ("unknown", "Unknown Error"))
    return ApiError(status, reason or usual_reason, message or usual_message, headers, details, raw)
