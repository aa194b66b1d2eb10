"""Refusals of Google for other reasons than a role: project, permission and identifier are those that Google names."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.faults import Context, explain
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.refusal import BODY_BYTES, Refusal, take
from google.api_core.exceptions import from_http_response
from google.auth.exceptions import RefreshError
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import Request, Response
from urllib3 import HTTPResponse

from tests.modules.compute.server import ComputeServer
from tests.modules.gcp_module import PROJECT, FirewallRule

RULES = "global/firewalls"
TCP = [{"protocol": "tcp", "ports": ["8765"]}]
OURS = Context(
    "insert of firewall rule r", "our-voice-prod", "compute.firewalls.create", "user:me@example.com", "user:me@example.com"
)
GRANT = "add-iam-policy-binding"
UID = "VQQnKfXtZ16NHnOmdJAy0E92tVT_8fZZRGvnndBWXZLKFx_KItn1EA"


def info(reason: str, domain: str = "googleapis.com", **metadata: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}


def body(code: int, message: str, *details: dict[str, Any], reason: str = "forbidden") -> dict[str, Any]:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return {"error": {"code": code, "message": message, "errors": errors, "status": "PERMISSION_DENIED", "details": [*details]}}


def raised(status: int, content: bytes) -> Exception:
    """Return the error that Google's client raises for an answer, as modules use it."""
    response = Response()
    response.status_code = status
    response.raw = HTTPResponse(body=io.BytesIO(content), preload_content=False)
    response.request = Request("POST", "https://compute.googleapis.com/compute/v1/projects/our-voice-prod/x").prepare()
    take(response)
    error: Exception = from_http_response(response)
    return error


def told(answer: dict[str, Any], context: Context = OURS) -> str:
    return str(explain(raised(answer["error"]["code"], json.dumps(answer).encode()), context))


QUOTA_TEXT = (
    "Caller does not have required permission to use project billing-hub. Grant the caller the "
    "roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission, by visiting "
    "https://console.developers.google.com/iam-admin/iam/project?project=billing-hub and then retry. Propagation of the new "
    "permission may take a few minutes."
)


def test_the_quota_project() -> None:
    said = told(
        body(403, QUOTA_TEXT, info("USER_PROJECT_DENIED", consumer="projects/billing-hub", service="compute.googleapis.com"))
    )
    assert "user:me@example.com may not use project billing-hub as the quota project (Caller does not have required" in said
    assert "set-quota-project" in said
    assert said.endswith(
        f"gcloud projects {GRANT} billing-hub --member=user:me@example.com --role=roles/serviceusage.serviceUsageConsumer"
    )
    assert "our-voice-prod" not in said
    assert "no billing" not in said


def test_the_quota_project_without_details() -> None:
    assert f"{GRANT} billing-hub " in told(body(403, QUOTA_TEXT))


@pytest.mark.parametrize("with_details", [True, False])
def test_an_api_that_is_disabled_in_another_project(with_details: bool) -> None:
    text = (
        "Identity and Access Management (IAM) API has not been used in project 104271234567 before or it is disabled. Enable it "
        "by visiting https://console.developers.google.com/apis/api/iam.googleapis.com/overview?project=104271234567 then retry."
    )
    detail = info("SERVICE_DISABLED", consumer="projects/104271234567", service="iam.googleapis.com")
    said = told(body(403, text, *[detail][: int(with_details)], reason="accessNotConfigured"))
    assert "gcloud services enable iam.googleapis.com --project=104271234567" in said
    assert text[:60] in said
    assert "our-voice-prod" not in said
    assert "compute.googleapis.com" not in said
    assert GRANT not in said


def test_vpc_service_controls() -> None:
    text = f"Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: {UID}"
    failure = {
        "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
        "violations": [{"type": "VPC_SERVICE_CONTROLS", "description": UID}],
    }
    detail = info("SECURITY_POLICY_VIOLATED", uid=UID, consumer="projects/hub-net", service="compute.googleapis.com")
    for details in ([failure, detail], [failure], [detail], []):
        said = told(body(403, text, *details))
        assert "VPC Service Controls" in said
        assert f"unique identifier {UID}" in said
        assert "prohibited by organization's policy" in said
        assert GRANT not in said
        assert "our-voice-prod" not in said
        assert ("hub-net" in said) == (detail in details)


def test_a_suspended_project() -> None:
    text = "Permission denied: Consumer 'projects/shared-host-1' has been suspended."
    for details in ([info("CONSUMER_SUSPENDED", consumer="projects/shared-host-1", service="compute.googleapis.com")], []):
        said = told(body(403, text, *details))
        assert f"Google has suspended project shared-host-1 ({text})" in said
        assert GRANT not in said
        assert "our-voice-prod" not in said
        assert "billing" not in said


@pytest.mark.parametrize(
    ("text", "details", "project"),
    [
        ("Project charming-module-137923 (#808448574146) has billing disabled. Please enable it.", [], "charming-module-137923"),
        (
            "This API method requires billing to be enabled. Please enable billing on project #5225 by visiting "
            "https://console.developers.google.com/billing/enable?project=5225 then retry.",
            [info("BILLING_DISABLED", consumer="projects/5225", service="compute.googleapis.com")],
            "5225",
        ),
        ("Billing account for project '522837608576' is not found.", [], "522837608576"),
        ("The billing account for the owning project is disabled in state absent", [], "our-voice-prod"),
    ],
)
def test_billing_where_google_says_billing(text: str, details: list[dict[str, Any]], project: str) -> None:
    said = told(body(403, text, *details))
    assert f"project {project} has no billing" in said
    assert f"gcloud billing projects link {project} " in said
    assert GRANT not in said


@pytest.mark.parametrize(
    "text",
    [
        "Required 'compute.firewalls.create' permission for 'projects/billing-disabled/global/firewalls/r'",
        "Required 'compute.firewalls.create' permission for 'projects/our-voice-prod/global/firewalls/no-billing'",
        "Permission 'billing.resourceAssociations.list' denied on resource 'projects/our-voice-prod' (or it may not exist).",
        "The resource 'projects/our-voice-prod/global/networks/billing' is not ready: rule billing-enabled",
        "Invalid value for field 'resource.name': 'billing'. Must be enabled",
    ],
)
def test_a_name_with_the_word_billing_is_none(text: str) -> None:
    assert "has no billing" not in told(body(403, text))


@pytest.mark.parametrize("prefix", ["", "Google Compute Engine: "])
def test_the_host_project_of_a_shared_vpc(prefix: str) -> None:
    text = f"{prefix}Required 'compute.networks.updatePolicy' permission for 'projects/net-host/global/networks/shared'"
    said = told(body(403, text, info("IAM_PERMISSION_DENIED", "iam.googleapis.com", consumer="projects/our-voice-prod")))
    assert f"lacks the permission compute.networks.updatePolicy in project net-host ({text})" in said
    assert said.endswith(f"{GRANT} net-host --member=user:me@example.com --role=roles/compute.securityAdmin")
    assert "our-voice-prod" not in said


def test_the_subnetwork_of_a_shared_vpc_is_granted_alone() -> None:
    said = told(
        body(403, "Required 'compute.subnetworks.use' permission for 'projects/net-host/regions/asia-south1/subnetworks/one'")
    )
    assert said.endswith(
        f"gcloud compute networks subnets {GRANT} one --region=asia-south1 --project=net-host --member=user:me@example.com "
        "--role=roles/compute.networkUser"
    )


def test_a_permission_of_another_service_is_no_role_of_compute() -> None:
    text = "Permission 'iam.serviceAccounts.actAs' denied on resource 'projects/our-voice-prod'"
    said = told(body(403, text))
    assert "lacks the permission iam.serviceAccounts.actAs in project our-voice-prod" in said
    assert "roles/compute" not in said


@pytest.mark.parametrize(
    "text",
    [
        "Permission denied on resource project other-team-7.",
        "Project 'other-team-7' not found or deleted.",
        "Something about project other-team-7 that nobody has seen yet",
    ],
)
@pytest.mark.parametrize("details", [[], [info("CONSUMER_INVALID", consumer="projects/other-team-7")]])
def test_no_grant_on_ours_where_another_is_meant(text: str, details: list[dict[str, Any]]) -> None:
    said = told(body(403, text, *details))
    assert "other-team-7" in said
    assert text in said
    assert "our-voice-prod" not in said
    assert GRANT not in said


def test_a_reason_that_is_not_known_keeps_googles_sentence() -> None:
    said = told(body(403, "Location policy says no.", info("LOCATION_POLICY_VIOLATED", consumer="projects/far-away")))
    assert "(Location policy says no.)" in said
    assert "our-voice-prod" not in said
    assert GRANT not in said


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            body(403, "IAM Service Account Credentials API has not been used in project 99 before or it is disabled.",
                 info("SERVICE_DISABLED", consumer="projects/99", service="iamcredentials.googleapis.com"), reason=""),
            "gcloud services enable iamcredentials.googleapis.com --project=99",
        ),
        (body(403, QUOTA_TEXT, reason=""), f"{GRANT} billing-hub --member=user:me@example.com"),
        (body(403, f"prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: {UID}", reason=""), UID),
        (body(404, "Not found; Gaia id not found for email bot@p.iam.gserviceaccount.com", reason=""), "does not exist"),
    ],
)  # fmt: skip
def test_impersonation_is_refused_for_another_reason_than_a_role(answer: dict[str, Any], expected: str) -> None:
    context = Context("x", "our-voice-prod", member="serviceAccount:bot@p.iam.gserviceaccount.com", source="user:me@example.com")
    said = str(explain(RefreshError("Unable to acquire impersonated credentials", json.dumps(answer)), context))
    assert expected in said
    assert "our-voice-prod" not in said
    assert "serviceAccountTokenCreator" not in said


def test_a_module_says_it_too(compute: ComputeServer, tmp_path: Path) -> None:
    details = [info("SERVICE_DISABLED", consumer="projects/9000", service="compute.googleapis.com")]
    message = "Compute Engine API has not been used in project 9000 before or it is disabled."
    compute.fail("POST", RULES, status=403, reason="accessNotConfigured", message=message, details=details)
    failed = FirewallRule(compute, tmp_path)(allowed=TCP)
    assert "--project=9000" in failed["msg"]
    assert PROJECT not in failed["msg"].replace(f"serviceAccount:deployer@{PROJECT}", "")


@pytest.mark.parametrize(
    "raw",
    ["", "[]", "null", "7", '"text"', "{}", '{"error": "text"}', '{"error": [1]}', '{"error": {"details": null, "errors": null}}',
     '{"error": {"details": ["x", {"@type": 7}], "errors": ["y"], "message": ["z"]}}', "<html><title>Access &amp; Denied</title>",
     "<" * 3_000_000],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 403, 404, 503])
def test_a_module_survives_any_body(compute: ComputeServer, tmp_path: Path, status: int, raw: str) -> None:
    compute.fail("GET", RULES, status=status, raw=raw, times=1000)
    failed = FirewallRule(compute, tmp_path)(allowed=TCP, timeout=1)
    assert failed["failed"]
    assert failed["code"] == status
    assert "Traceback" not in failed["msg"]
    assert len(failed["msg"]) < 1500


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=40)
    | st.sampled_from([QUOTA_TEXT, "projects/x-1", "a\n\x1b[31m\u202eb"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "errors", "details", "reason", "@type", "metadata", "violations", "links", "url", "code"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
TOKEN = "ya29.a0AfH6SMBx-very_secret"


def one_bounded_line(said: str) -> None:
    assert said.isprintable()
    assert len(said) < 1500
    assert "Traceback" not in said
    assert not re.search(r"very_secret|PRIVATE KEY", said)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([400, 401, 403, 404, 409, 412, 418, 429, 500, 503, 599]), JSON)
def test_json_of_any_shape_is_one_bounded_line(status: int, value: Any) -> None:
    for content in (value, {"error": value}, {"error": {"message": value, "details": value, "errors": value}}):
        error = raised(status, json.dumps(content).encode())
        one_bounded_line(str(explain(error, OURS)))
        one_bounded_line(str(explain(RefreshError("Unable to acquire impersonated credentials", json.dumps(content)), OURS)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([400, 403, 404, 429, 500]), st.binary(max_size=300), st.integers(0, 3 * BODY_BYTES))
def test_bytes_of_any_kind_are_one_bounded_line(status: int, content: bytes, more: int) -> None:
    said = str(explain(raised(status, content + b" " * more), OURS))
    one_bounded_line(said)
    assert GRANT not in said, "what no API of Google has said is no reason for a role"


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=60),
    st.sampled_from([TOKEN, f"Bearer {TOKEN}", "eyJhbGciOi.very_secret.x", "-----BEGIN PRIVATE KEY-----\nvery_secret"]),
)
def test_tokens_and_keys_are_not_told(text: str, token: str) -> None:
    one_bounded_line(told(body(403, f"{text} {token}")))
    one_bounded_line(str(explain(raised(403, f"{text} {token}".encode()), OURS)))


ID = st.from_regex(r"[a-z][a-z0-9]{2,12}-[a-z0-9]{1,8}", fullmatch=True).filter(lambda name: not OURS.project.startswith(name))
REASONS = [
    *("SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_SUSPENDED", "CONSUMER_INVALID", "USER_PROJECT_DENIED", "GCP_SUSPENDED"),
    *("SECURITY_POLICY_VIOLATED", "RATE_LIMIT_EXCEEDED", "LOCATION_POLICY_VIOLATED", "RESOURCE_USAGE_RESTRICTION_VIOLATED"),
]


@settings(max_examples=200, deadline=None)
@given(ID, st.sampled_from(REASONS), st.sampled_from(["Something.", "See project {}.", "Consumer 'projects/{}' is not well."]))
def test_no_project_is_named_that_google_did_not_mean(project: str, reason: str, text: str) -> None:
    said = told(body(403, text.format(project), info(reason, consumer=f"projects/{project}")))
    assert project in said
    assert OURS.project not in said


def test_a_name_that_is_too_long_is_not_cut_to_another() -> None:
    refusal = Refusal.of_parts(403, "Required 'compute.x.y' permission for 'projects/" + "a" * 200 + "'")
    assert refusal.project == ""
