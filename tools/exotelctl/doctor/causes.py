"""Show the consequence of a cause that was found as blocked by it, so that one fault reads as one."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from exotelctl.doctor.result import Result

_CRASHES: Final = ("unit-port-conflict", "unit-missing-module", "unit-syntax-error", "unit-settings-error", "unit-out-of-memory")
_NOT_SERVING: Final = ("maintenance", "port-stranger", *_CRASHES, "loop-hung", "unit-down")
_NO_EDGE: Final = ("edge-down", "edge-backend")
_NO_TLS: Final = ("certificate-clock", "certificate-expiry", "certificate-name", "certificate-chain", "certificate-loaded")
_NOT_ANSWERING: Final = (*_NOT_SERVING, "file-limit", "port-two-listeners", "host-firewall", "local-answer")
_NO_CALL: Final = (*_NOT_ANSWERING, "call-limit", "token-stripped", "auth-rejected")

CAUSES: Final[dict[str, tuple[str, ...]]] = {
    "unit-port-conflict": ("port-stranger",),
    "loop-hung": ("maintenance", "file-limit"),
    "generations": ("maintenance",),
    "unit-down": ("maintenance", "port-stranger", *_CRASHES, "file-limit", "loop-hung", "disk"),
    "local-answer": (*_NOT_SERVING, "file-limit", "port-two-listeners", "host-firewall", "call-limit"),
    "edge-backend": (*_NOT_SERVING, "file-limit", "edge-down"),
    "certificate-expiry": ("certificate-clock", "certificate-loaded", "certificate-renewal", "edge-down"),
    "certificate-name": ("certificate-loaded", "edge-down"),
    "certificate-chain": ("certificate-loaded", "edge-down"),
    "certificate-loaded": ("edge-down",),
    "certificate-clock": ("clock", "edge-down"),
    "certificate-renewal": ("acme-port", "edge-down"),
    "acme-port": ("edge-down",),
    "edge-workers": ("edge-down",),
    "edge-put-out": ("edge-down",),
    "outside-reach": (*_NO_EDGE, *_NOT_ANSWERING, "cloud-firewall", *_NO_TLS),
    "wrong-fields": _NO_CALL,
    "no-echo": ("wrong-fields", *_NO_CALL),
    "call-limit": (*_NOT_SERVING, "file-limit"),
    "lost-calls": (*_CRASHES, "loop-hung", "memory"),
    "short-calls": ("wrong-fields", "no-media", "lost-calls", "call-limit", "token-stripped", "auth-rejected"),
}
"""By consequence, the checks whose finding explains it, the nearest to the root first. There is no circle in it."""


def mark(results: Sequence[Result]) -> list[Result]:
    """Return ``results`` with consequences marked as blocked. A check that is ok stays ok, whatever failed: it was seen."""
    # A maintenance is no fault, but explains why parts are down.
    failed = {result.id for result in results if result.verdict == ("warn" if result.id == "maintenance" else "fail")}
    explained = {result.id for result in results if _cause(result, failed)}
    return [_marked(result, _cause(result, failed - explained) or _cause(result, failed)) for result in results]


def _cause(result: Result, failed: set[str]) -> str | None:
    if result.verdict in ("ok", "skipped"):
        return None
    return next((cause for cause in CAUSES.get(result.id, ()) if cause in failed), None)


def _marked(result: Result, cause: str | None) -> Result:
    return dataclasses.replace(result, verdict="skipped", blocked_by=cause) if cause else result
