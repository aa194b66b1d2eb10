"""Requests to handlers, and errors of handlers in Google's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.modules.compute.discovery import Json


@dataclass(frozen=True)
class Call:
    """A request that the document allows. `query` has one value a name; `principal` is the caller's e-mail address."""

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json = field(default_factory=dict)
    principal: str = ""

    @property
    def project(self) -> str:
        return self.path["project"]


class ApiError(Exception):
    """An answer with an error status. `reason` is Google's word for it ("notFound"), `headers` go with it.

    `details` are objects of google.rpc; a `raw` body is sent instead of Google's JSON.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: list[Json] | None = None,
        raw: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.headers = status, reason, message, dict(headers or {})
        self.details, self.raw = details, raw

    def body(self) -> Json | str:
        """Return the error as the Compute API words it."""
        if self.raw is not None:
            return self.raw
        errors = [{"message": self.message, "domain": "global", "reason": self.reason}]
        status = STATUS.get(self.status)
        more = {**({"status": status} if status else {}), **({"details": self.details} if self.details else {})}
        return {"error": {"code": self.status, "message": self.message, "errors": errors, **more}}


# The canonical code that newer front ends of Google add to the error.
STATUS = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def invalid(field_name: str, value: object, why: str) -> ApiError:
    return ApiError(400, "invalid", f"Invalid value for field '{field_name}': '{value}'. {why}")


def not_found(resource: str) -> ApiError:
    return ApiError(404, "notFound", f"The resource '{resource}' was not found")


def already_exists(resource: str) -> ApiError:
    return ApiError(409, "alreadyExists", f"The resource '{resource}' already exists")
