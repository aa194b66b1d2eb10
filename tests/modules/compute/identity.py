"""Sources of tokens: Google's token end point, the metadata server of a VM, and IAM's tokens of another account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from tests.modules.compute.answers import ApiError
from tests.modules.compute.discovery import Json
from tests.modules.compute.tokens import CLOUD_PLATFORM, LIFETIME, Denied, Tokens

METADATA = "/computeMetadata/v1/"
IMPERSONATE = "/v1/projects/-/serviceAccounts/"
VERB = ":generateAccessToken"
IAM_SCOPES = {CLOUD_PLATFORM, "https://www.googleapis.com/auth/iam"}


@dataclass(frozen=True)
class Reply:
    """Answer that is not one of the Compute API. A text is sent as it is, anything else as JSON."""

    status: int
    body: Json | str
    headers: Mapping[str, str]


def answer(tokens: Tokens, http: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
    """Return the answer to a request for a token; None for a path of none of the three."""
    if path == "/token":
        return _exchanged(tokens, body) if http == "POST" else Reply(405, {}, {})
    if path == "/" or path.startswith(METADATA):
        return _metadata(tokens, path, query, headers)
    if path.startswith(IMPERSONATE) and path.endswith(VERB):
        return _impersonated(tokens, path, headers, body)
    return None


def refused(path: str, error: ApiError) -> Reply:
    """Return an error that a test ordered for `path`, in the format of the service there."""
    if path == "/token":
        return Reply(error.status, {"error": error.reason, "error_description": error.message}, error.headers)
    return Reply(error.status, error.body(), error.headers)


def _exchanged(tokens: Tokens, body: bytes) -> Reply:
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    try:
        token = tokens.exchange(form.get("grant_type", ""), form.get("assertion", ""))
    except Denied as why:
        return Reply(400, {"error": "invalid_grant", "error_description": str(why)}, {})
    return Reply(200, {"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer"}, {})


def _metadata(tokens: Tokens, path: str, query: str, headers: Mapping[str, str]) -> Reply:
    flavor = {"Metadata-Flavor": "Google"}
    if headers.get("metadata-flavor") != "Google":
        return Reply(403, "Missing Metadata-Flavor:Google header.", {})
    account = METADATA + "instance/service-accounts/default/"
    scopes = parse_qs(query).get("scopes", [CLOUD_PLATFORM])[0].split(",")
    match path.removeprefix(account).removeprefix(METADATA):
        case "token":
            token = tokens.issue(tokens.account, frozenset(scopes))
            return Reply(200, {"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer"}, flavor)
        case "" if path == account:
            return Reply(200, {"aliases": ["default"], "email": tokens.account, "scopes": [CLOUD_PLATFORM]}, flavor)
        case "" | "/":
            return Reply(200, "computeMetadata/\n", flavor)
        case "project/project-id":
            return Reply(200, "contract-test", flavor)
        case "universe/universe-domain":
            return Reply(200, "googleapis.com", flavor)
        case _:
            return Reply(404, "not found", flavor)


def _impersonated(tokens: Tokens, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    account = path.removeprefix(IMPERSONATE).removesuffix(VERB)
    try:
        caller = tokens.holder(headers.get("authorization", ""))
    except Denied as why:
        return _refused(401, "UNAUTHENTICATED", str(why))
    if not caller.scopes & IAM_SCOPES:
        return _refused(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.")
    if account not in tokens.impersonable:
        return _refused(
            403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
        )
    asked = json.loads(body)
    lifetime = int(asked.get("lifetime", f"{LIFETIME}s").removesuffix("s"))
    until = datetime.now(UTC) + timedelta(seconds=lifetime)
    token = tokens.issue(account, frozenset(asked["scope"]), lifetime)
    return Reply(200, {"accessToken": token, "expireTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}, {})


def _refused(code: int, status: str, message: str) -> Reply:
    return Reply(code, {"error": {"code": code, "message": message, "status": status}}, {})
