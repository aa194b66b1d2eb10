"""Faults at Google or on the way there: one line with the cure and the changes made until then."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.firewalls import Firewalls
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.modules.compute.server import ComputeServer
from tests.modules.compute.tokens import ACCOUNT
from tests.modules.gcp_module import PROJECT, FirewallRule, Result

NAME = FirewallRule.name
TCP = [{"protocol": "tcp", "ports": ["8765"]}]
RULE = f"projects/{PROJECT}/global/firewalls/{NAME}"
RULES = "global/firewalls"
BIND = f"gcloud projects add-iam-policy-binding {PROJECT} --member=serviceAccount:{ACCOUNT} --role=roles/compute.securityAdmin"


@pytest.fixture
def apply(compute: ComputeServer, tmp_path: Path) -> FirewallRule:
    return FirewallRule(compute, tmp_path)


def failure(result: Result) -> str:
    """Return the message of a failed result, in one line."""
    assert result["failed"]
    message = str(result["msg"])
    assert "\n" not in message
    assert "Traceback" not in str(result)
    return message


def done(result: Result) -> list[tuple[str, str]]:
    return [(one["what"].split(" firewall ")[0], one["status"]) for one in result["operations"]]


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"status": 403, "reason": "forbidden", "message": f"Required 'compute.networks.updatePolicy' permission for '{RULE}'"},
        "forbidden",
        rf"lacks the permission compute.networks.updatePolicy in project {PROJECT} \(Required .*\); .*: {BIND}",
    ),
    ({"status": 403, "message": "Forbidden"}, "forbidden", f"lacks the permission compute.firewalls.create in .*{BIND}"),
    (
        {
            "status": 403,
            "reason": "accessNotConfigured",
            "message": "Compute Engine API has not been used in project 1 before or it is disabled.\nEnable it by visiting …",
        },
        "accessNotConfigured",
        r"the Compute Engine API is not enabled in project 1 \(Compute Engine API has not been used .* …\): "
        "gcloud services enable compute.googleapis.com --project=1; if it is only the quota project",
    ),
    (
        {"status": 403, "reason": "quotaExceeded", "message": "Quota 'FIREWALLS' exceeded. Limit: 100.0"},
        "quotaExceeded",
        rf"a quota of project {PROJECT} is used up \(Quota 'FIREWALLS' exceeded. Limit: 100.0\); see gcloud compute project-info",
    ),
    (
        {"status": 403, "reason": "insufficientPermissions", "message": "Request had insufficient authentication scopes."},
        "insufficientPermissions",
        "access scopes of this VM .*gcloud compute instances set-service-account",
    ),
    (
        {"status": 403, "reason": "forbidden", "message": f"The billing account for project {PROJECT} is disabled."},
        "forbidden",
        f"has no billing .*gcloud billing projects link {PROJECT}",
    ),
    (
        {"status": 404, "reason": "notFound", "message": f"The resource 'projects/{PROJECT}' was not found"},
        "notFound",
        f"project {PROJECT} does not exist, or serviceAccount:{ACCOUNT} may not see it",
    ),
    (
        {"status": 400, "reason": "invalid", "message": "Invalid value for field"},
        "invalid",
        r"Invalid value for field \(HTTP 400, invalid\)",
    ),
    ({"status": 500, "message": "Internal Error"}, "backendError", "HTTP 500 .*run it again"),
]


@pytest.mark.parametrize(("fault", "reason", "complaint"), REFUSALS)
def test_a_refused_write_says_why_and_what_helps(
    compute: ComputeServer, apply: FirewallRule, fault: dict[str, Any], reason: str, complaint: str
) -> None:
    compute.fail("POST", RULES, **fault)
    failed = apply(allowed=TCP)
    message = failure(failed)
    assert message.startswith(f"insert of firewall rule {NAME}: ")
    assert re.search(complaint, message)
    assert (failed["reason"], failed["code"]) == (reason, fault["status"])
    # Only a server's error leaves the fate of the write unknown.
    assert done(failed) == ([("insert of", "UNKNOWN")] if fault["status"] >= 500 else [])
    assert failed["changed"] is (fault["status"] >= 500)
    assert compute.store.firewalls(PROJECT) == {}


def test_a_project_that_is_not_there_is_not_a_rule_that_is_not_there(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("GET", RULES, status=404, reason="notFound", message=f"The resource 'projects/{PROJECT}' was not found")
    assert f"project {PROJECT} does not exist" in failure(apply(state="absent"))


def test_whether_a_rule_is_absent_cannot_be_told_without_the_api(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("GET", RULES, status=403, reason="accessNotConfigured")
    assert "gcloud services enable compute.googleapis.com" in failure(apply(state="absent"))


def test_a_network_that_is_not_there(compute: ComputeServer, apply: FirewallRule) -> None:
    failed = failure(apply(allowed=TCP, network="nowhere"))
    assert failed.endswith(f"network nowhere not found in project {PROJECT}: gcloud compute networks list --project={PROJECT}")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (400, "resourceNotReady"), (502, ""), (503, ""), (504, "")],
)
def test_what_passes_is_waited_for(compute: ComputeServer, apply: FirewallRule, status: int, reason: str) -> None:
    compute.fail("GET", RULES, status=status, reason=reason)
    compute.fail("POST", RULES, status=status, reason=reason)
    made = apply(allowed=TCP)
    assert (made["changed"], done(made)) == (True, [("insert of", "DONE")])
    tries = [request.query["requestId"] for request in compute.requests.writes]
    assert len(tries) == 2
    assert len(set(tries)) == 1


def test_an_overload_that_stays_ends_with_the_bound(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("POST", RULES, status=429, times=1000)
    failed = apply(allowed=TCP, timeout=1)
    assert re.search(rf"insert of firewall rule {NAME}, tried [2-9] times: too many requests", failure(failed))
    assert (failed["changed"], failed["operations"]) == (False, [])


def test_what_google_asks_to_wait_is_waited_or_said(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("POST", RULES, status=429, headers={"Retry-After": "3600"})
    assert "too many requests" in failure(apply(allowed=TCP))
    assert len(compute.requests.writes) == 1
    compute.fail("POST", RULES, status=503, headers={"Retry-After": "1"})
    assert apply(allowed=TCP)["changed"]


@pytest.mark.parametrize("wish", ["\xb2", "Mon, 01 Jan 99999 00:00:00 GMT", "soon", "-1"])
def test_a_wait_that_nobody_understands_is_as_none(compute: ComputeServer, apply: FirewallRule, wish: str) -> None:
    compute.fail("POST", RULES, status=503, headers={"Retry-After": wish})
    assert apply(allowed=TCP)["changed"]


def test_a_write_whose_answer_is_lost_is_made_once(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.drop("POST", RULES, carried_out=True)
    made = apply(allowed=TCP)
    assert (made["changed"], done(made)) == (True, [("insert of", "DONE")])
    first, second = compute.requests.writes
    assert first.query == second.query
    assert apply(allowed=TCP)["changed"] is False


def test_a_write_whose_answer_never_comes_may_have_been_made(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.drop("POST", RULES, times=1000)
    failed = apply(allowed=TCP, timeout=1)
    assert "broke before there was an answer" in failure(failed)
    assert (failed["changed"], failed["operations"][0]["operation"], done(failed)) == (True, None, [("insert of", "UNKNOWN")])


@pytest.mark.parametrize(
    ("code", "message", "complaint"),
    [
        ("QUOTA_EXCEEDED", "Quota 'FIREWALLS' exceeded.", "a quota of project"),
        ("PERMISSIONS_ERROR", "Required 'compute.firewalls.create' permission", BIND),
        (
            "RESOURCE_NOT_FOUND",
            f"The resource 'projects/{PROJECT}/global/networks/default' was not found",
            "network default not found",
        ),
        ("INTERNAL_ERROR", "Something broke", r"HTTP 500 \(Something broke\)"),
        ("RESOURCE_NOT_READY", "The network is not ready", r"not finished .* gcloud compute operations list"),
        ("INVALID_USAGE", "No such thing", r"No such thing \(HTTP 400, INVALID_USAGE\)"),
    ],
)
def test_an_operation_that_fails(compute: ComputeServer, apply: FirewallRule, code: str, message: str, complaint: str) -> None:
    compute.fail_operation("insert", code=code, message=message)
    failed = apply(allowed=TCP)
    assert re.search(rf"^insert of firewall rule {NAME}: operation operation-\S+ failed: .*{complaint}", failure(failed))
    assert (failed["changed"], done(failed)) == (False, [("insert of", "FAILED")])
    assert failed["operations"][0]["operation"].startswith("operation-")


def test_an_operation_that_never_ends(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.store.operations.stalled = True
    failed = apply(allowed=TCP, timeout=1)
    name = failed["operations"][0]["operation"]
    assert failure(failed) == (
        f"waited 1 s for operation {name} (insert of firewall rule {NAME}): it is still RUNNING; "
        f"gcloud compute operations describe {name} --global --project={PROJECT}"
    )
    assert (failed["changed"], failed["reason"], done(failed)) == (True, "timeout", [("insert of", "RUNNING")])


def test_an_operation_that_takes_its_time_is_waited_for(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.store.operations.looks_until_done = 3
    compute.fail("GET", "operations", status=503)
    compute.drop("GET", "operations")
    assert apply(allowed=TCP)["changed"]
    assert NAME in compute.store.firewalls(PROJECT)


def test_a_rule_that_somebody_else_makes_meanwhile_is_read_again(compute: ComputeServer, apply: FirewallRule) -> None:
    apply(allowed=TCP, priority=5)
    compute.fail("GET", RULES, status=404, reason="notFound", message=f"The resource '{RULE}' was not found")
    after = apply(allowed=TCP, priority=6)
    assert (after["changed"], after["fields"], done(after)) == (True, ["priority"], [("update of", "DONE")])
    assert after["diff"]["before"]["priority"] == 5


def test_a_change_of_a_rule_that_is_gone_begins_anew(compute: ComputeServer, apply: FirewallRule) -> None:
    apply(allowed=TCP)
    compute.fail("PUT", RULES, status=404, reason="notFound", message=f"The resource '{RULE}' was not found")
    after = apply(priority=5)
    assert (after["rule"]["priority"], done(after)) == (5, [("update of", "DONE")])
    assert [request.method for request in compute.requests.writes] == ["POST", "PUT", "PUT"]


def test_a_rule_that_somebody_else_removes_first_is_gone(compute: ComputeServer, apply: FirewallRule) -> None:
    apply(allowed=TCP)
    compute.fail("DELETE", RULES, status=404, reason="notFound", message=f"The resource '{RULE}' was not found")
    gone = apply(state="absent")
    assert (gone["changed"], gone["rule"], gone["operations"]) == (False, None, [])


def test_what_may_have_been_made_counts_as_changed(compute: ComputeServer, apply: FirewallRule) -> None:
    apply(allowed=TCP)
    compute.fail("GET", RULES, status=404, reason="notFound", message=f"The resource '{RULE}' was not found")
    compute.drop("POST", RULES)
    compute.fail("POST", RULES, status=409, reason="alreadyExists", message=f"The resource '{RULE}' already exists")
    after = apply(allowed=TCP)
    assert (after["changed"], after["fields"], done(after)) == (True, [], [("insert of", "UNKNOWN")])


def test_races_that_never_end_do(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("POST", RULES, status=409, reason="alreadyExists", message=f"The resource '{RULE}' already exists", times=1000)
    assert "already exists" in failure(apply(allowed=TCP))
    assert len(compute.requests.writes) == 3


class TestReplacing:
    """Failures between the deletion of a rule and the insertion of its successor."""

    @pytest.fixture(autouse=True)
    def _there(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.store.add_network(PROJECT, "vpc")
        apply(allowed=TCP, priority=77)
        compute.requests.clear()

    def test_the_old_rule_is_put_back(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail_operation("insert", code="QUOTA_EXCEEDED", message="Quota 'FIREWALLS' exceeded.")
        failed = apply(denied=TCP)
        assert re.search("a quota of project .* the old rule, which was deleted for the new one, was put back$", failure(failed))
        assert done(failed) == [("delete of", "DONE"), ("insert of", "FAILED"), ("insert of the old", "DONE")]
        assert (failed["replaced"], failed["changed"], "rule" in failed) == (False, True, False)
        rule = compute.store.firewalls(PROJECT)[NAME]
        assert (rule["priority"], rule["allowed"]) == (77, [{"IPProtocol": "tcp", "ports": ["8765"]}])

    def test_the_old_rule_cannot_be_put_back(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("POST", RULES, status=403, reason="quotaExceeded", message="Quota 'FIREWALLS' exceeded.", times=2)
        failed = apply(denied=TCP)
        assert re.search(
            r"the old rule was deleted and could not be put back \(.*\); there is no such rule now$", failure(failed)
        )
        assert (failed["rule"], failed["replaced"], done(failed)) == (None, False, [("delete of", "DONE")])

    def test_the_delete_fails(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("DELETE", RULES, status=403)
        failed = apply(denied=TCP)
        assert failure(failed).endswith("; the new rule was not inserted in its place")
        assert "compute.firewalls.delete" in failed["msg"]
        assert NAME in compute.store.firewalls(PROJECT)

    def test_what_became_of_the_insert_is_not_known(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.drop("POST", RULES, times=1000)
        failed = apply(denied=TCP, timeout=1)
        describe = f"gcloud compute firewall-rules describe {NAME} --project={PROJECT}"
        assert failure(failed).endswith(f"whether the new one is there is not known: {describe}")
        assert done(failed) == [("delete of", "DONE"), ("insert of", "UNKNOWN"), ("insert of the old", "UNKNOWN")]

    def test_an_insert_in_doubt_costs_no_rule(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("POST", RULES, status=500)
        assert failure(apply(denied=TCP)).endswith("the old rule, which was deleted for the new one, was put back")
        assert compute.store.firewalls(PROJECT)[NAME]["priority"] == 77

    def test_an_insert_whose_end_may_not_be_seen_is_not_said_to_be_lost(
        self, compute: ComputeServer, apply: FirewallRule, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delete = Firewalls.delete

        def and_then_blind(firewalls: Firewalls) -> bool:
            gone = delete(firewalls)
            compute.fail("GET", "global/operations", status=403)
            return gone

        monkeypatch.setattr(Firewalls, "delete", and_then_blind)
        failed = apply(denied=TCP, timeout=1)
        assert "compute.globalOperations.get" in failure(failed)
        assert "whether the new one is there is not known" in failed["msg"]
        assert "rule" not in failed

    def test_a_new_rule_that_came_after_all_stays(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("POST", RULES, status=500)
        compute.fail("POST", RULES, status=409, reason="alreadyExists")
        failed = apply(denied=TCP)
        assert "whether the new one is there is not known" in failure(failed)
        assert "rule" not in failed

    def test_whether_the_old_rule_was_put_back_is_not_known(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("POST", RULES, status=403, reason="quotaExceeded", message="Quota 'FIREWALLS' exceeded.")
        compute.fail("POST", RULES, status=500)
        failed = apply(denied=TCP)
        assert re.search(r"whether it was put back \(.*\) is not known: gcloud compute firewall-rules describe", failure(failed))
        assert "rule" not in failed

    def test_a_network_that_is_not_there_costs_no_rule(self, compute: ComputeServer, apply: FirewallRule) -> None:
        assert "network nowhere not found" in failure(apply(network="nowhere"))
        assert compute.requests.writes == []

    def test_who_may_not_read_networks_may_change_rules(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("GET", "global/networks", status=403)
        assert apply(network="vpc")["replaced"]

    def test_the_delete_that_somebody_else_made_does_not_stop_it(self, compute: ComputeServer, apply: FirewallRule) -> None:
        compute.fail("DELETE", RULES, status=404, reason="notFound", message=f"The resource '{RULE}' was not found")
        compute.store.firewalls(PROJECT)[NAME]["priority"] = 78
        raced = apply(denied=TCP)
        # The store still has it, as if somebody had made it again.
        assert done(raced) == [("delete of", "DONE"), ("insert of", "DONE")]
        assert raced["rule"]["priority"] == 78


def test_nothing_listens(apply: FirewallRule) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    failed = apply(allowed=TCP, api_endpoint=f"http://127.0.0.1:{port}")
    assert f"127.0.0.1:{port} refuses connections; check api_endpoint" in failure(failed)
    assert (failed["changed"], failed["reason"], failed["code"]) == (False, "connection", None)


def test_the_token_end_point_does_not_listen(compute: ComputeServer, apply: FirewallRule, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    key = tmp_path / "elsewhere.json"
    key.write_text((tmp_path / "service-account.json").read_text().replace(compute.url, f"http://127.0.0.1:{port}"))
    failed = apply(allowed=TCP, service_account_file=str(key))
    assert f"asking for a token: 127.0.0.1:{port} refuses connections" in failure(failed)


def test_a_name_that_no_server_knows(apply: FirewallRule, monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo

    def resolve(host: str, *arguments: Any, **more: Any) -> Any:
        if host == "compute.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    failed = apply(allowed=TCP, api_endpoint="https://compute.example")
    assert failure(failed).endswith(
        "the name compute.example cannot be resolved; check this machine's DNS: getent hosts compute.example"
    )


def test_an_api_that_is_none(compute: ComputeServer, apply: FirewallRule) -> None:
    failed = apply(allowed=TCP, api_endpoint=compute.url.replace("http", "https"))
    assert "does not speak TLS" in failure(failed)


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a server with a certificate that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "tls.pem").write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
                context.wrap_socket(connection, server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://localhost:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def test_a_certificate_that_is_not_trusted(apply: FirewallRule, untrusted: str) -> None:
    failed = failure(apply(allowed=TCP, api_endpoint=untrusted))
    assert f"the TLS certificate of {untrusted.removeprefix('https://')} is not trusted" in failed
    assert "REQUESTS_CA_BUNDLE" in failed
