"""What went wrong at Google or on the way there, as one line that names the cure."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# How IAM's commands name an account that nothing here knows the name of.
SOMEBODY = "user:YOUR_ACCOUNT"

_PASSING_CODES = frozenset({429, 502, 503, 504})
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
# The last says that another change of the same thing is not finished.
_PASSING_REASONS = _RATE_REASONS | {"resourceNotReady"}
_DISABLED_REASONS = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_SCOPE_REASONS = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
# An operation that fails has codes of its own for what a request calls by these reasons.
_OPERATION_REASONS = {
    "FORBIDDEN": "forbidden",
    "PERMISSIONS_ERROR": "forbidden",
    "QUOTA_EXCEEDED": "quotaExceeded",
    "RATE_LIMIT_EXCEEDED": "rateLimitExceeded",
    "RESOURCE_ALREADY_EXISTS": "alreadyExists",
    "RESOURCE_NOT_FOUND": "notFound",
    "RESOURCE_NOT_READY": "resourceNotReady",
}
_ROLES = {
    "firewalls": "roles/compute.securityAdmin",
    "disks": "roles/compute.instanceAdmin.v1",
    "instances": "roles/compute.instanceAdmin.v1",
    "subnetworks": "roles/compute.instanceAdmin.v1",
    "addresses": "roles/compute.networkAdmin",
}
_READ_VERBS = ("get", "list", "getEffectiveFirewalls")
_RESOURCE = re.compile(r"'(?:https?://[^']*/)?(projects/[^']+)'")
_PERMISSION = re.compile(r"\b(compute\.[A-Za-z]+\.[A-Za-z]+)\b")
_SAID_CHARACTERS = 400
_ADC_LOGIN = "gcloud auth application-default login"


class Fault(Exception):
    """Something failed. Its text is one line with the cure.

    `reason` is Google's word for it (``forbidden``, ``notFound`` …) or one of this module's (``connection``, ``credentials``,
    ``invalid``, ``library``, ``timeout``); `code` the HTTP status, if there was one. `carried_out` is true where a change that
    failed may have been made all the same; `resource` is what was not found (``projects/p/global/networks/n``). `result` is
    added to what the module returns.
    """

    def __init__(self, message: str, *, reason: str, code: int | None = None) -> None:
        super().__init__(one_line(message))
        self.reason = reason
        self.code = code
        self.carried_out = False
        self.resource = ""
        self.result: dict[str, Any] = {}


@dataclass(frozen=True)
class Context:
    """What a request was for: `what` in words (``insert of firewall rule x``), and who made it of whom.

    `member` is the account as IAM writes it, and `source` the one that impersonates it, or the same; `permission` is what the
    request needs, such as ``compute.firewalls.create``.
    """

    what: str
    project: str
    permission: str = ""
    member: str = SOMEBODY
    source: str = SOMEBODY
    endpoint: str = "https://compute.googleapis.com"


def one_line(text: str) -> str:
    """Return `text` with every run of white space as one space."""
    return " ".join(text.split())


def google_errors() -> tuple[type[Exception], ...]:
    """Return what Google's client raises for what happens outside this process, as `except` takes it."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.protobuf.json_format import ParseError
    from requests.exceptions import RequestException

    return (GoogleAPIError, GoogleAuthError, ParseError, RequestException, OSError)


def reason_of(error: BaseException) -> str:
    """Return Google's reason for `error`, such as ``notFound``, or nothing."""
    errors = getattr(error, "errors", None)
    if isinstance(errors, list) and errors and isinstance(errors[0], dict) and errors[0].get("reason"):
        return str(errors[0]["reason"])
    return str(getattr(error, "reason", None) or "")


def message_of(error: BaseException) -> str:
    """Return what Google said, without the method and address that its client puts before it."""
    message = one_line(str(getattr(error, "message", None) or error))
    said = re.sub(r"^[A-Z]+ https?://\S+: ", "", message)
    # A proxy in between may answer with a whole page.
    return said if len(said) <= _SAID_CHARACTERS else said[:_SAID_CHARACTERS] + "…"


def is_passing(error: BaseException) -> bool:
    """Tell whether the same request may well succeed later: an overload, or a connection that broke."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code in _PASSING_CODES or reason_of(error) in _PASSING_REASONS
    if getattr(error, "retryable", False):
        return True
    from requests import exceptions

    for cause in _chain(error):
        # These are a ConnectionError too, but how they end is decided before the request leaves.
        if isinstance(cause, (exceptions.SSLError, exceptions.ProxyError, exceptions.ConnectTimeout, socket.gaierror)):
            return False
        if isinstance(cause, ConnectionRefusedError) or type(cause).__name__ == "NewConnectionError":
            return False
    kinds = (exceptions.ConnectionError, exceptions.ChunkedEncodingError, exceptions.Timeout)
    return any(isinstance(cause, kinds) for cause in _chain(error))


def explain(error: BaseException, context: Context) -> Fault:
    """Return what `error`, raised by Google's client or by what it is built on, means, and what to do."""
    if isinstance(error, Fault):
        return error
    code = getattr(error, "code", None)
    if isinstance(code, int):
        reason, said = reason_of(error), message_of(error)
        return _fault(f"{context.what}: {_refusal(int(code), reason, said, context)}", reason or "http", int(code), said)
    if type(error).__module__.startswith("google.auth"):
        return _credentials(error, context)
    if type(error).__name__ == "ParseError":
        cause = f"{context.endpoint} does not answer as the Compute API does; check api_endpoint, and HTTPS_PROXY"
        return Fault(f"{context.what}: {cause}", reason="connection")
    return Fault(f"{context.what}: {_connection(error, context)}", reason="connection")


def is_answer(error: BaseException) -> bool:
    """Tell whether `error` leaves no doubt that a change was not made: a refusal, or a request that never left."""
    code = getattr(error, "code", None)
    return code < 500 if isinstance(code, int) else not is_passing(error)


def explain_operation(operation: Any, context: Context) -> Fault:
    """Return what the errors of a finished `operation` mean."""
    errors = list(operation.error.errors)
    first = errors[0].code if errors else ""
    messages = "; ".join(entry.message or entry.code for entry in errors)
    said = one_line(messages or operation.http_error_message or "no reason given")
    reason = _OPERATION_REASONS.get(first, first or "operation")
    code = operation.http_error_status_code or None
    cure = _refusal(code or 0, reason, said, context)
    return _fault(f"{context.what}: operation {operation.name} failed: {cure}", reason, code, said)


def _fault(message: str, reason: str, code: int | None, said: str) -> Fault:
    fault = Fault(message, reason=reason, code=code)
    if reason == "notFound":
        fault.resource = _resource(said)
    return fault


def _resource(said: str) -> str:
    found = _RESOURCE.search(said)
    return found.group(1) if found else ""


def _refusal(code: int, reason: str, said: str, context: Context) -> str:
    project = context.project
    if reason in _DISABLED_REASONS:
        return (
            f"the Compute Engine API is not enabled in project {project}: "
            f"gcloud services enable compute.googleapis.com --project={project}"
        )
    if "billing" in said.lower() and code in (400, 403):
        return f"project {project} has no billing ({said}): gcloud billing projects link {project} --billing-account=ACCOUNT"
    if reason in _SCOPE_REASONS:
        return (
            "the access scopes of this VM do not reach the Compute API; stop it and run "
            "gcloud compute instances set-service-account VM --scopes=cloud-platform"
        )
    if reason == "quotaExceeded":
        return (
            f"a quota of project {project} is used up ({said}); see gcloud compute project-info describe --project={project}, "
            "then delete what is not needed or ask for more under IAM & Admin > Quotas"
        )
    if code == 429 or reason in _RATE_REASONS:
        return f"too many requests for project {project} ({said}); wait a minute and run it again"
    if reason == "forbidden" or code == 403:
        return _permission(said, context)
    if reason == "notFound":
        return _not_found(said, context)
    if reason == "resourceNotReady":
        return (
            f"another change of the same thing is not finished ({said}); wait a minute and run it again, or see what it is: "
            f'gcloud compute operations list --project={project} --filter="status!=DONE"'
        )
    if code == 401:
        return f"Google did not accept the credentials ({said}): {_ADC_LOGIN}"
    if code >= 500:
        return f"Google answered HTTP {code} ({said}); run it again, and look at status.cloud.google.com if it stays"
    if code == 404:
        return f"{context.endpoint} does not look like the Compute API: HTTP 404 ({said}); check api_endpoint"
    return f"{said} (HTTP {code}{', ' + reason if reason else ''})" if code else f"{said} ({reason})"


def _permission(said: str, context: Context) -> str:
    named = _PERMISSION.search(said)
    permission = named.group(1) if named else context.permission
    role = role_for(permission)
    lacks = f"lacks the permission {permission}" if permission else f"may not do this ({said})"
    return (
        f"{context.member} {lacks} in project {context.project}; {role} has it: gcloud projects add-iam-policy-binding "
        f"{context.project} --member={context.member} --role={role}"
    )


def role_for(permission: str) -> str:
    """Return a predefined role that has `permission`, such as ``compute.firewalls.create``: the smallest that fits its work."""
    _, _, rest = permission.partition(".")
    resource, _, verb = rest.partition(".")
    if resource == "networks" and verb == "updatePolicy":
        return _ROLES["firewalls"]
    if verb in _READ_VERBS and resource != "firewalls":
        return "roles/compute.viewer"
    return _ROLES.get(resource, "roles/compute.networkAdmin")


def _not_found(said: str, context: Context) -> str:
    resource = _resource(said)
    parts = resource.split("/")
    if len(parts) == 2:
        return f"project {parts[1]} does not exist, or {context.member} may not see it: gcloud projects list"
    if len(parts) > 3 and parts[-2] in ("networks", "subnetworks", "zones", "images"):
        kind = parts[-2]
        return f"{kind[:-1]} {parts[-1]} not found in project {parts[1]}: gcloud compute {kind} list --project={parts[1]}"
    return f"{resource or said} not found" if resource else said


def _credentials(error: BaseException, context: Context) -> Fault:
    kind = type(error).__name__
    if kind in ("TransportError", "TimeoutError", "ResponseError"):
        return Fault(f"{context.what}, asking for a token: {_connection(error, context)}", reason="connection")
    said = one_line(str(error.args[0]) if error.args else kind)
    body = str(error.args[1]) if len(error.args) > 1 else ""
    if "impersonated credentials" in said:
        return Fault(f"{context.what}: {_impersonation(body, context)}", reason="credentials", code=_status(body))
    if kind == "DefaultCredentialsError":
        absent = "were not found" in said
        wrong = "no credentials of Google Cloud on this machine" if absent else said.rstrip(".")
        return Fault(f"{context.what}: {wrong}: {_ADC_LOGIN}", reason="credentials")
    if kind == "ReauthFailError" or "invalid_rapt" in said:
        return Fault(f"{context.what}: the login has expired: {_ADC_LOGIN}", reason="credentials")
    return Fault(
        f"{context.what}: no token for the credentials ({said}); log in again ({_ADC_LOGIN}) "
        "or make a new key for the service account",
        reason="credentials",
    )


def _impersonation(body: str, context: Context) -> str:
    account = context.member.partition(":")[2]
    if "SERVICE_DISABLED" in body:
        return (
            "the IAM Service Account Credentials API is not enabled: "
            f"gcloud services enable iamcredentials.googleapis.com --project={context.project}"
        )
    return (
        f"the credentials of this machine may not impersonate {account}: gcloud iam service-accounts add-iam-policy-binding "
        f"{account} --member={context.source} --role=roles/iam.serviceAccountTokenCreator"
    )


def _status(body: str) -> int | None:
    try:
        return int(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return None


def _connection(error: BaseException, context: Context) -> str:
    from requests import exceptions

    chain = list(_chain(error))
    asked = next((cause.request for cause in chain if isinstance(cause, exceptions.RequestException) and cause.request), None)
    host = urlsplit(str(asked.url) if asked is not None else context.endpoint).netloc
    if any(isinstance(cause, exceptions.ProxyError) for cause in chain):
        return f"the proxy on the way to {host} does not let this through; check HTTPS_PROXY and NO_PROXY"
    if any(isinstance(cause, exceptions.SSLError) for cause in chain):
        if not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
            return f"{host} does not speak TLS as this machine does; check api_endpoint, and HTTPS_PROXY"
        return f"the TLS certificate of {host} is not trusted; behind a proxy that opens TLS, set REQUESTS_CA_BUNDLE to its CA"
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return f"the name {host} cannot be resolved; check this machine's DNS: getent hosts {host.partition(':')[0]}"
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return f"{host} refuses connections; check api_endpoint, and HTTPS_PROXY if this machine needs one"
    if any(isinstance(cause, exceptions.Timeout) for cause in chain):
        return f"no answer from {host} in time; check this machine's way out, and HTTPS_PROXY if it needs one"
    if any(isinstance(cause, exceptions.ConnectionError) for cause in chain):
        return f"the connection to {host} broke before there was an answer; run it again"
    return f"{type(error).__name__}: {message_of(error)}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and what it came of: what it was raised from, or wraps."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        wrapped = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        error = error.__cause__ or wrapped or error.__context__
