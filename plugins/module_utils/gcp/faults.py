"""Faults at Google or on the way there, as one line that names the cure."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .refusal import Refusal, line

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
# Google's words for a missing role when it names neither the permission nor the project.
_PLAIN = re.compile(r"(?i)(forbidden|permission denied|the caller does not have permission|unknown error|no reason given)?\.?")
_SUSPENDED = re.compile(r"(?i)\b(consumer|project)\b.{0,120}\b(is|has been|was) suspended\b")
_PROHIBITED = re.compile(r"(?i)prohibited by organization's policy|vpcServiceControlsUniqueIdentifier")
_QUOTA_PROJECT = re.compile(r"does not have required permission to use project|serviceusage\.services\.use")
# A name may contain the word: "billing" counts only as a word of its own, next to what is wrong with it.
_BILLING = re.compile(
    r"(?i)(?<![-\w/.:'\"])billing(?![-\w/.:'\"]).{0,80}\b(disabled|enabled?|closed|absent|delinquent|not found)\b"
    r"|\b(requires?|enable|without|no) (active )?billing(?![-\w/.:'\"])"
)
_ADC_LOGIN = "gcloud auth application-default login"
_SET_QUOTA_PROJECT = "gcloud auth application-default set-quota-project PROJECT"


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
    """Purpose of a request: `what` in words (``insert of firewall rule x``), and who made it of whom.

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


def refusal_of(error: BaseException) -> Refusal:
    """Return the text of `error`, an answer of Google's that the client has raised."""
    taken = getattr(getattr(error, "response", None), "refusal", None)
    if isinstance(taken, Refusal):
        return taken
    # The client puts the method and the address before Google's text.
    said = re.sub(r"^[A-Z]+ https?://\S+: ", "", str(getattr(error, "message", None) or error))
    return Refusal.of_parts(int(getattr(error, "code", None) or 0), said, getattr(error, "errors", None))


def reason_of(error: BaseException) -> str:
    """Return Google's reason for `error`, such as ``notFound``, or nothing."""
    refusal = refusal_of(error)
    return refusal.reason or refusal.info


def message_of(error: BaseException) -> str:
    """Return Google's text as one line of bounded length."""
    return refusal_of(error).said


def is_passing(error: BaseException) -> bool:
    """Tell whether the same request may well succeed later: an overload, or a connection that broke."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        refusal = refusal_of(error)
        return code in _PASSING_CODES or bool({refusal.reason, refusal.info} & _PASSING_REASONS)
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
        refusal = refusal_of(error)
        reason = refusal.reason or refusal.info or "http"
        return _fault(f"{context.what}: {_refusal(refusal, context)}", reason, int(code), refusal.resource)
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
    reason = _OPERATION_REASONS.get(first, first or "operation")
    code = operation.http_error_status_code or None
    details = [
        {
            "@type": "google.rpc.ErrorInfo",
            "reason": detail.error_info.reason,
            "metadata": dict(detail.error_info.metadatas),
            "links": [{"url": link.url} for link in detail.help_.links],
        }
        for entry in errors
        for detail in entry.error_details
        if detail.error_info.reason
    ]
    said = messages or operation.http_error_message
    refusal = Refusal.of_parts(code or 0, said, [{"reason": reason}], details)
    cure = _refusal(refusal, context)
    return _fault(f"{context.what}: operation {operation.name} failed: {cure}", reason, code, refusal.resource)


def _fault(message: str, reason: str, code: int | None, resource: str) -> Fault:
    fault = Fault(message, reason=reason, code=code)
    if reason == "notFound":
        fault.resource = resource
    return fault


def _refusal(refusal: Refusal, context: Context) -> str:
    """Return the meaning of a refusal and its cure, for the project that Google names, else for ours."""
    code, said = refusal.code, refusal.said
    reasons = {refusal.reason, refusal.info} - {""}
    if not refusal.google and code < 500 and code != 429:
        return (
            f"{context.endpoint} answers HTTP {code} with what is not the Compute API's ({said}); "
            "check api_endpoint, and HTTPS_PROXY: a proxy on the way may answer in its place"
        )
    if code in (0, 400, 403, 404, 412) and (cure := _of_a_project(refusal, reasons, context, context.member)):
        return cure
    project = refusal.project or context.project
    if "quotaExceeded" in reasons:
        return (
            f"a quota of project {project} is used up ({said}); see gcloud compute project-info describe --project={project}, "
            "then delete what is not needed or ask for more under IAM & Admin > Quotas"
        )
    if code == 429 or reasons & _RATE_REASONS:
        return f"too many requests for project {project} ({said}); wait a minute and run it again"
    if "forbidden" in reasons or code == 403:
        return _permission(refusal, context)
    if "notFound" in reasons:
        return _not_found(refusal, context)
    if "resourceNotReady" in reasons:
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
    reason = refusal.reason or refusal.info
    return f"{said} (HTTP {code}{', ' + reason if reason else ''})" if code else f"{said} ({reason})"


def _of_a_project(refusal: Refusal, reasons: set[str], context: Context, who: str) -> str:
    """Return the cure for a fault of a project or of the login of `who`; nothing if a role is missing instead."""
    said = refusal.said
    project = refusal.project or context.project
    if reasons & {"SECURITY_POLICY_VIOLATED", "vpcServiceControls"} or _PROHIBITED.search(said):
        by = f" by the unique identifier {refusal.identifier}" if refusal.identifier else ""
        where = f" for project {refusal.project}" if refusal.project else ""
        return (
            f"VPC Service Controls of the organization do not let this through{where} ({said}). No role helps: who administers "
            f"the perimeter finds the cause{by} in the troubleshooter of VPC Service Controls and adds an ingress rule"
        )
    if reasons & _DISABLED_REASONS:
        service = refusal.service or "compute.googleapis.com"
        title = refusal.title or ("Compute Engine API" if service == "compute.googleapis.com" else service)
        return (
            f"the {title} is not enabled in project {project} ({said}): gcloud services enable {service} --project={project}"
            f"{_other_quota_project(refusal, context)}"
        )
    if "BILLING_DISABLED" in reasons or any("BILLING" in reason for reason in reasons) or _BILLING.search(said):
        return f"project {project} has no billing ({said}): gcloud billing projects link {project} --billing-account=ACCOUNT"
    if reasons & {"CONSUMER_SUSPENDED", "GCP_SUSPENDED"} or _SUSPENDED.search(said):
        more = f"see {refusal.link}" if refusal.link else "Google has written to its owners why, and how to appeal"
        return f"Google has suspended project {project} ({said}); no role helps: {more}"
    if "USER_PROJECT_DENIED" in reasons or _QUOTA_PROJECT.search(said):
        if not refusal.project:
            return f"{who} may not use the quota project of its credentials ({said}): {_SET_QUOTA_PROJECT}"
        return (
            f"{who} may not use project {refusal.project} as the quota project ({said}): {_SET_QUOTA_PROJECT}, "
            f"or gcloud projects add-iam-policy-binding {refusal.project} --member={who} "
            "--role=roles/serviceusage.serviceUsageConsumer"
        )
    if reasons & {"CONSUMER_INVALID", "RESOURCE_PROJECT_INVALID"}:
        return (
            f"project {project} does not exist, or {who} may not use it ({said}): gcloud projects list"
            f"{_other_quota_project(refusal, context)}"
        )
    if reasons & _SCOPE_REASONS:
        return (
            "the access scopes of this VM do not reach the Compute API; stop it and run "
            "gcloud compute instances set-service-account VM --scopes=cloud-platform"
        )
    return ""


def _other_quota_project(refusal: Refusal, context: Context) -> str:
    if refusal.project in ("", context.project):
        return ""
    return f"; if it is only the quota project of your login: {_SET_QUOTA_PROJECT}"


def _permission(refusal: Refusal, context: Context) -> str:
    """Return the missing permission and its project. Propose a grant only for the project that Google names."""
    said, named, who = refusal.said, refusal.permission, context.member
    plain = not named and not refusal.project and bool(_PLAIN.fullmatch(said))
    permission = named or (context.permission if plain else "")
    of_resource = re.match(r"projects/([^/]+)", refusal.resource)
    meant = of_resource.group(1) if of_resource else refusal.project
    project = meant or (context.project if plain or named else "")
    if not permission:
        needs = f"; it needs the permission {context.permission}" if meant in ("", context.project) else ""
        return f"{who} may not do this{f' in project {meant}' if meant else ''} ({said}){needs}"
    lacks = f"{who} lacks the permission {permission} in project {project}{'' if plain else f' ({said})'}"
    subnetwork = re.search(r"/regions/([a-z0-9-]{1,63})/subnetworks/([a-z0-9-]{1,63})$", refusal.resource)
    # To make VMs in one's own project takes only that role; in the host project of a Shared VPC, only the subnetwork's role.
    if permission.startswith("compute.subnetworks.use") and subnetwork and project != context.project:
        return (
            f"{lacks}; roles/compute.networkUser has it: gcloud compute networks subnets add-iam-policy-binding "
            f"{subnetwork.group(2)} --region={subnetwork.group(1)} --project={project} --member={who} "
            "--role=roles/compute.networkUser"
        )
    foreign_use = project != context.project and permission.startswith(("compute.networks.use", "compute.subnetworks.use"))
    role = "roles/compute.networkUser" if foreign_use else role_for(permission)
    if not role:
        return f"{lacks}; ask who administers project {project} for a role that has it"
    return f"{lacks}; {role} has it: gcloud projects add-iam-policy-binding {project} --member={who} --role={role}"


def role_for(permission: str) -> str:
    """Return a predefined role that has `permission`, such as ``compute.firewalls.create``: the smallest that fits its work.

    Empty for a permission of another service than Compute Engine.
    """
    service, _, rest = permission.partition(".")
    if service != "compute":
        return ""
    resource, _, verb = rest.partition(".")
    if resource == "networks" and verb == "updatePolicy":
        return _ROLES["firewalls"]
    if verb in _READ_VERBS and resource != "firewalls":
        return "roles/compute.viewer"
    return _ROLES.get(resource, "roles/compute.networkAdmin")


def _not_found(refusal: Refusal, context: Context) -> str:
    resource, said = refusal.resource, refusal.said
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
    said = line(str(error.args[0]) if error.args else kind)
    body = str(error.args[1]) if len(error.args) > 1 else ""
    if "impersonated credentials" in said:
        refusal = Refusal.of_body(_status(body), body)
        return Fault(f"{context.what}: {_impersonation(refusal, context)}", reason="credentials", code=refusal.code or None)
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


def _impersonation(refusal: Refusal, context: Context) -> str:
    account = context.member.partition(":")[2]
    said = refusal.said
    if not refusal.google:
        return f"the IAM Service Account Credentials API gave no token for {account} ({said}); check iam_endpoint and HTTPS_PROXY"
    reasons = {refusal.reason, refusal.info} - {""}
    if "SERVICE_DISABLED" in reasons:
        where = refusal.project or "PROJECT"
        return (
            f"the IAM Service Account Credentials API is not enabled ({said}): "
            f"gcloud services enable {refusal.service or 'iamcredentials.googleapis.com'} --project={where}"
        )
    # Only Google can name the account's own project here: `context` knows only the project of the rule.
    if refusal.code in (0, 400, 403) and (cure := _of_a_project(refusal, reasons, context, context.source)):
        return cure
    if refusal.code == 404:
        return f"the service account {account} does not exist ({said}): gcloud iam service-accounts list"
    if refusal.code >= 500 or refusal.code == 429:
        return f"Google answered HTTP {refusal.code} for a token of {account} ({said}); run it again"
    return (
        f"the credentials of this machine may not impersonate {account}: gcloud iam service-accounts add-iam-policy-binding "
        f"{account} --member={context.source} --role=roles/iam.serviceAccountTokenCreator"
    )


def _status(body: str) -> int:
    """Return the status that Google's JSON repeats in its body; 0 if there is none."""
    found = re.search(r'"code":\s*([1-5][0-9]{2})\b', body[:8192])
    return int(found.group(1)) if found else 0


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
