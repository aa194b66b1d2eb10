"""The Compute API of tests: Google's own client gets along with it, and it finds what Google's description forbids."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.modules.compute.answers import Call
from tests.modules.compute.discovery import Json, compute_v1
from tests.modules.compute.handlers import HANDLERS
from tests.modules.compute.server import ComputeServer
from tests.modules.compute.store import Store
from tests.modules.compute.tokens import CLOUD_PLATFORM

RULES = "/compute/v1/projects/p/global/firewalls"
VMS = "/compute/v1/projects/p/zones/asia-south1-a/instances"
ADDRESSES = "/compute/v1/projects/p/regions/asia-south1/addresses"
RULE: Json = {"name": "allow-ws", "allowed": [{"IPProtocol": "tcp", "ports": ["8765"]}], "sourceRanges": ["192.0.2.0/24"]}
pytest_plugins = ["pytester"]
ZONE = {"project": "p", "zone": "asia-south1-a"}
REGION = {"project": "p", "region": "asia-south1"}


class Google:
    """Google's clients, signed in with the server's service account."""

    def __init__(self, server: ComputeServer, directory: Path, *, self_signed: bool = True) -> None:
        from google.cloud import compute_v1 as library
        from google.oauth2.service_account import Credentials

        self.library = library
        self._host = urlsplit(server.url).netloc
        self._signed = self_signed
        self._credentials = Credentials.from_service_account_file(server.credentials_file(directory), scopes=[CLOUD_PLATFORM])

    def __getattr__(self, service: str) -> Any:
        kind = getattr(self.library, f"{service}Client")
        transport = kind.get_transport_class("rest")(
            host=self._host, url_scheme="http", credentials=self._credentials, always_use_jwt_access=self._signed
        )
        return kind(transport=transport)

    def done(self, operation: Any) -> None:
        """Wait for the operation of a method …_unary. Other methods then ask compute.googleapis.com, even with another host."""
        if operation.zone:
            ended = self.ZoneOperations.wait(operation=operation.name, **ZONE)
        elif operation.region:
            ended = self.RegionOperations.wait(operation=operation.name, **REGION)
        else:
            ended = self.GlobalOperations.wait(operation=operation.name, project="p")
        assert (ended.status.name, ended.http_error_status_code) == ("DONE", 0), ended

    def rule(self, **fields: Any) -> Any:
        allowed = [self.library.Allowed(I_p_protocol="tcp", ports=["8765"])]
        return self.library.Firewall({"name": "allow-ws", "allowed": allowed, **fields})


@pytest.fixture
def google(compute: ComputeServer, tmp_path: Path) -> Google:
    return Google(compute, tmp_path)


class Raw:
    """Client that sends anything."""

    def __init__(self, server: ComputeServer) -> None:
        self.server = server
        self.token = server.tokens.issue("somebody", frozenset({CLOUD_PLATFORM}))

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send a request and return status and body of the answer."""
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=10)
        sent = {
            "Authorization": f"Bearer {self.token}",
            **({"Content-Type": "application/json"} if body is not None else {}),
            **headers,
        }
        try:
            connection.request(
                method, path, body if isinstance(body, bytes) else json.dumps(body) if body is not None else None, sent
            )
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if answer.headers.get_content_type() == "application/json" else text.decode()

    def write(self, method: str, path: str, body: object = None) -> Json:
        """Send a write and return its ended operation."""
        status, operation = self.ask(method, path, body)
        assert status == 200, operation
        return self.ask("GET", urlsplit(operation["selfLink"]).path)[1]  # type: ignore[no-any-return]


@pytest.fixture
def raw(compute: ComputeServer) -> Raw:
    return Raw(compute)


def serving(handler: str, answer: Json) -> Iterator[ComputeServer]:
    def wishful(store: Store, call: Call) -> Json:
        return answer

    server = ComputeServer({**HANDLERS, handler: wishful})
    yield server
    server.close()


# Google's client ---------------------------------------------------------------------------------------------------------------


def test_googles_client_makes_finds_changes_and_deletes_a_rule(compute: ComputeServer, google: Google) -> None:
    rules, rule = google.Firewalls, google.rule(source_ranges=["192.0.2.0/24"], target_tags=["ws"])
    google.done(rules.insert_unary(project="p", firewall_resource=rule))
    made = rules.get(project="p", firewall="allow-ws")
    assert (made.priority, made.direction, made.log_config.enable, made.description) == (1000, "INGRESS", False, "")
    assert made.network == "https://www.googleapis.com/compute/v1/projects/p/global/networks/default"
    assert (list(made.source_ranges), made.allowed[0].ports) == (["192.0.2.0/24"], ["8765"])

    google.done(
        rules.update_unary(project="p", firewall="allow-ws", firewall_resource=google.rule(source_ranges=["198.51.100.0/24"]))
    )
    changed = rules.get(project="p", firewall="allow-ws")
    assert (list(changed.source_ranges), list(changed.target_tags)) == (["198.51.100.0/24"], [])
    assert (changed.id, changed.creation_timestamp) == (made.id, made.creation_timestamp)

    google.done(rules.delete_unary(project="p", firewall="allow-ws"))
    assert list(rules.list(project="p")) == []
    assert [one.method for one in compute.requests.writes] == ["POST", "PUT", "DELETE"]
    assert {one.principal for one in compute.requests} == {compute.tokens.account}


def test_a_patch_keeps_what_it_does_not_name(google: Google) -> None:
    rules = google.Firewalls
    google.done(rules.insert_unary(project="p", firewall_resource=google.rule(target_tags=["ws"])))
    google.done(
        rules.patch_unary(
            project="p", firewall="allow-ws", firewall_resource=google.library.Firewall(name="allow-ws", priority=7)
        )
    )
    patched = rules.get(project="p", firewall="allow-ws")
    assert (patched.priority, list(patched.target_tags)) == (7, ["ws"])


def test_nothing_has_changed_until_the_operation_was_awaited(compute: ComputeServer, google: Google) -> None:
    compute.store.operations.looks_until_done = 2
    operation = google.Firewalls.insert_unary(project="p", firewall_resource=google.rule())
    assert compute.store.firewalls("p") == {}
    looks = [google.GlobalOperations.get(project="p", operation=operation.name).status.name for _ in range(3)]
    assert looks == ["RUNNING", "RUNNING", "DONE"]
    assert list(compute.store.firewalls("p")) == ["allow-ws"]


def test_an_operation_that_fails_has_changed_nothing(compute: ComputeServer, google: Google) -> None:
    compute.fail_operation("insert", code="QUOTA_EXCEEDED", message="Quota 'FIREWALLS' exceeded.  Limit: 100.0 globally.")
    began = google.Firewalls.insert_unary(project="p", firewall_resource=google.rule())
    ended = google.GlobalOperations.wait(project="p", operation=began.name)
    assert (ended.http_error_status_code, ended.http_error_message) == (403, "FORBIDDEN")
    assert [error.code for error in ended.error.errors] == ["QUOTA_EXCEEDED"]
    assert compute.store.firewalls("p") == {}


def test_a_stalled_operation_keeps_running_and_a_wait_for_it_ends(compute: ComputeServer, google: Google) -> None:
    compute.stall_operations()
    operation = google.Firewalls.insert_unary(project="p", firewall_resource=google.rule())
    assert google.GlobalOperations.wait(project="p", operation=operation.name).status.name == "RUNNING"


def test_a_token_is_fetched_when_the_client_does_not_sign_its_own(compute: ComputeServer, tmp_path: Path) -> None:
    assert list(Google(compute, tmp_path, self_signed=False).Firewalls.list(project="p")) == []


def test_lists_come_in_pages_and_filtered(compute: ComputeServer, google: Google) -> None:
    compute.store.page_size = 2
    for name in "abcde":
        compute.store.add_network("p", name)
        compute.store.add_instance("p", "asia-south1-b", f"vm-{name}")
    assert [one.name for one in google.Networks.list(project="p")] == ["a", "b", "c", "d", "default", "e"]
    found = google.Instances.aggregated_list(google.library.AggregatedListInstancesRequest(project="p", filter="name = vm-d"))
    assert [(zone, vm.name) for zone, scope in found for vm in scope.instances] == [("zones/asia-south1-b", "vm-d")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name = vm-1", ["vm-1"]),
        ('name="vm-1"', ["vm-1"]),
        ("name != vm-1", ["vm-2", "vm-3"]),
        ("name eq vm-[12]", ["vm-1", "vm-2"]),
        ("(name ne vm-1) (name ne vm-2)", ["vm-3"]),
        ("labels.tier = gold AND status = RUNNING", ["vm-2"]),
        ("labels.tier:*", ["vm-2"]),
        ("deletionProtection = false", ["vm-1", "vm-2", "vm-3"]),
    ],
)
def test_a_list_has_what_its_filter_lets_through(compute: ComputeServer, google: Google, text: str, found: list[str]) -> None:
    for number, labels in ((1, {}), (2, {"tier": "gold"}), (3, {})):
        compute.store.add_instance("p", "asia-south1-a", f"vm-{number}", labels=labels)
    asked = google.library.ListInstancesRequest(**ZONE, filter=text)
    assert [vm.name for vm in google.Instances.list(asked)] == found


def test_a_filter_that_is_not_understood_is_refused(raw: Raw) -> None:
    assert raw.ask("GET", f"{RULES}?filter=name%20%3D%20a%20OR%20name%20%3D%20b")[0] == 400


def test_a_vm_with_a_reserved_address_is_made_and_deleted(compute: ComputeServer, google: Google) -> None:
    library = google.library
    google.done(google.Addresses.insert_unary(**REGION, address_resource=library.Address(name="ws")))
    address = google.Addresses.get(**REGION, address="ws")
    assert address.status == "RESERVED"
    config = library.AccessConfig(name="External NAT", nat_i_p=address.address, type_="ONE_TO_ONE_NAT")
    image = library.AttachedDiskInitializeParams(
        source_image="projects/debian-cloud/global/images/family/debian-12", disk_size_gb=20
    )
    instance = library.Instance(
        name="ws",
        machine_type="zones/asia-south1-a/machineTypes/e2-small",
        tags=library.Tags(items=["ws"]),
        labels={"made-by": "test"},
        disks=[library.AttachedDisk(boot=True, auto_delete=True, initialize_params=image)],
        network_interfaces=[library.NetworkInterface(network="global/networks/default", access_configs=[config])],
    )
    google.done(google.Instances.insert_unary(**ZONE, instance_resource=instance))
    vm = google.Instances.get(**ZONE, instance="ws")
    assert (vm.status, vm.network_interfaces[0].access_configs[0].nat_i_p) == ("RUNNING", address.address)
    assert (list(vm.tags.items), vm.disks[0].disk_size_gb, dict(vm.labels)) == (["ws"], 20, {"made-by": "test"})
    assert google.Addresses.get(**REGION, address="ws").users == [vm.self_link]
    with pytest.raises(Exception, match="already being used"):
        google.Addresses.delete_unary(**REGION, address="ws")
    google.done(google.Instances.delete_unary(**ZONE, instance="ws"))
    google.done(google.Addresses.delete_unary(**REGION, address="ws"))
    assert (compute.store.instances("p"), compute.store.addresses("p")) == ({}, {})


def test_the_effective_rules_of_a_vm_are_those_of_its_network_and_of_the_policies_above(
    compute: ComputeServer, google: Google
) -> None:
    store = compute.store
    everything = {"srcIpRanges": ["0.0.0.0/0"], "layer4Configs": [{"ipProtocol": "tcp", "ports": ["8765"]}]}
    deny = {"priority": 10, "action": "deny", "match": everything}
    others = {**deny, "priority": 11, "targetServiceAccounts": ["other@p.iam.gserviceaccount.com"]}
    store.add_network("p", "voice", order="BEFORE_CLASSIC_FIREWALL", policies=[{"short_name": "of-network", "rules": [deny]}])
    store.add_policy("p", "of-company", [deny, others])
    store.add_policy("p", "elsewhere", [deny], type="NETWORK", network="default")
    store.add_instance("p", "asia-south1-a", "ws", networks=["default", "voice"], service_account="ws@p.iam.gserviceaccount.com")
    for network in ("default", "voice"):
        rule = google.rule(name=f"in-{network}", network=f"global/networks/{network}")
        google.done(google.Firewalls.insert_unary(project="p", firewall_resource=rule))

    said = google.Instances.get_effective_firewalls(**ZONE, instance="ws", network_interface="nic1")
    assert [rule.name for rule in said.firewalls] == ["in-voice"]
    assert [(policy.type_, policy.short_name) for policy in said.firewall_policys] == [
        ("HIERARCHY", "of-company"),
        ("NETWORK", "of-network"),
    ]
    assert [rule.priority for rule in said.firewall_policys[0].rules] == [10, 2147483644, 2147483645, 2147483646, 2147483647]
    assert (
        google.Networks.get(project="p", network="voice").network_firewall_policy_enforcement_order == "BEFORE_CLASSIC_FIREWALL"
    )


ON_A_VM = """
import sys

import google.auth
from google.auth import impersonated_credentials
from google.auth.transport.requests import AuthorizedSession

url, account, scope = sys.argv[1:]
source, project = google.auth.default(scopes=[scope])
path = f"{url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
there = impersonated_credentials.Credentials(source, account, [scope], iam_endpoint_override=path)
print(AuthorizedSession(source).get(f"{url}/compute/v1/projects/{project}").json()["name"])
print(AuthorizedSession(there).get(f"{url}/compute/v1/projects/{project}").json()["name"])
"""


def test_a_vm_gets_tokens_of_its_own_and_of_an_account_that_it_may_use(compute: ComputeServer) -> None:
    robot, host = "robot@p.iam.gserviceaccount.com", urlsplit(compute.url).netloc
    command = [sys.executable, "-c", ON_A_VM, compute.url, robot, CLOUD_PLATFORM]
    environment = {"HOME": "/nonexistent", "GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert (refused.stdout, "iam.serviceAccounts.getAccessToken" in refused.stderr) == ("contract-test\n", True), refused.stderr
    compute.tokens.impersonable.add(robot)
    subprocess.run(command, env=environment, check=True, timeout=30)
    assert [one.principal for one in compute.requests] == [compute.tokens.account, compute.tokens.account, robot]


# Wishes of a client ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("POST", RULES, {**RULE, "allow": []}, "firewall.allow: there is no such field"),
        (
            "POST",
            RULES,
            {**RULE, "allowed": [{"I_p_protocol": "tcp"}]},
            "firewall.allowed[0].I_p_protocol: there is no such field",
        ),
        ("POST", RULES, {**RULE, "priority": "1000"}, "firewall.priority: '1000' is no integer"),
        ("POST", RULES, {**RULE, "priority": True}, "firewall.priority: True is no integer"),
        ("POST", RULES, {**RULE, "priority": 2**31}, "firewall.priority: 2147483648 is no int32"),
        ("POST", RULES, {**RULE, "disabled": "no"}, "firewall.disabled: 'no' is no boolean"),
        ("POST", RULES, {**RULE, "sourceRanges": "0.0.0.0/0"}, "firewall.sourceRanges: '0.0.0.0/0' is no array"),
        ("POST", RULES, {**RULE, "allowed": [{"IPProtocol": "tcp", "ports": [8765]}]}, "allowed[0].ports[0]: 8765 is no string"),
        ("POST", RULES, {**RULE, "description": None}, "firewall.description: None is no string"),
        ("POST", RULES, {**RULE, "direction": "ingress"}, "firewall.direction: 'ingress' is none of EGRESS, INGRESS"),
        ("POST", RULES, {**RULE, "name": "Allow WS"}, "firewall.name: 'Allow WS' does not match"),
        ("POST", RULES, {**RULE, "logConfig": {"enabled": True}}, "firewall.logConfig.enabled: there is no such field"),
        ("POST", RULES, {**RULE, "id": "1"}, "firewall.id: is read-only"),
        ("POST", RULES, {"allowed": RULE["allowed"]}, "firewall.name: compute.firewalls.insert requires this field"),
        ("POST", RULES, None, "compute.firewalls.insert: requires a body"),
        ("POST", RULES, [], "firewall: [] is no object"),
        ("POST", RULES, b"{", "the body is no JSON"),
        ("PATCH", f"{RULES}/allow-ws", {"nmae": "allow-ws"}, "firewall.nmae: there is no such field"),
        ("PATCH", f"{RULES}/allow-ws", {"sourceRanges": [1], "name": "a"}, "firewall.sourceRanges[0]: 1 is no string"),
        ("GET", f"{RULES}/allow-ws", {}, "compute.firewalls.get: takes no body"),
        ("GET", f"{RULES}/Allow%20WS", None, "firewall: 'Allow WS' does not match"),
        ("GET", f"{RULES}?maxResult=1", None, "maxResult: compute.firewalls.list has no such parameter"),
        ("GET", f"{RULES}?project=q", None, "project: compute.firewalls.list has no such parameter in its query"),
        ("GET", f"{RULES}?maxResults=many", None, "maxResults: 'many' is no integer"),
        ("GET", f"{RULES}?maxResults=-1", None, "maxResults: -1 is no uint32"),
        ("GET", f"{RULES}?filter=a&filter=b", None, "filter: is given 2 times"),
        ("GET", f"{RULES}?returnPartialSuccess=yes", None, "returnPartialSuccess: "),
        ("GET", f"{VMS}/ws/getEffectiveFirewalls", None, "networkInterface: compute.instances.getEffectiveFirewalls requires"),
        ("POST", VMS, {"name": "ws", "tags": {"items": ["WS"]}}, "instance.tags.items[0]: 'WS' does not match"),
        (
            "POST",
            VMS,
            {"name": "ws", "metadata": {"items": [{"key": "k"}]}},
            "metadata.items[0].value: compute.instances.insert req",
        ),
        ("POST", VMS, {"name": "ws", "disks": [{"diskSizeGb": 20}]}, "instance.disks[0].diskSizeGb: 20 is no string"),
        ("POST", VMS, {"name": "ws", "disks": [{"diskSizeGb": "big"}]}, "instance.disks[0].diskSizeGb: 'big' is no int64"),
        ("POST", VMS, {"name": "ws", "labels": {"a": 1}}, "instance.labels.a: 1 is no string"),
        ("POST", VMS, {"name": "ws", "fingerprint": "?"}, "instance.fingerprint: '?' is no byte"),
        ("GET", "/compute/v1/projects/p/global/firewall", None, "the API has no such method"),
        ("PUT", RULES, RULE, "the API has no such method"),
        ("GET", "/compute/v1/projects/p/global/routes", None, "this server has no such method yet"),
        ("GET", "/compute/beta/projects/p", None, "there is no such path"),
    ],
)
def test_a_request_that_google_does_not_describe_is_a_violation(
    compute: ComputeServer, raw: Raw, method: str, path: str, body: object, complaint: str
) -> None:
    status, answer = raw.ask(method, path, body)
    assert status >= 400
    assert complaint in answer["error"]["message"]
    assert any(complaint in violation for violation in compute.take_violations())
    assert compute.store.firewalls("p") == {}


def test_a_body_that_is_not_sent_as_json_is_a_violation(compute: ComputeServer, raw: Raw) -> None:
    raw.ask("POST", RULES, RULE, **{"Content-Type": "text/plain"})
    assert compute.take_violations() == [f"POST {RULES}: the body is sent as text/plain, not as application/json"]


def test_a_violation_fails_the_test_that_has_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.modules.conftest import compute")
    pytester.makepyfile(
        """
        import urllib.error, urllib.request, pytest

        def test_wishful(compute):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(compute.url + "/compute/v1/projects/p/global/firewall")

        def test_good(compute):
            assert compute.requests == []
        """
    )
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=2, errors=1)
    outcome.stdout.fnmatch_lines(["*GET /compute/v1/projects/p/global/firewall: the API has no such method*"])


# Wishes of the server ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"name": "a", "enabled": True}, "firewall.enabled: there is no such field"),
        ({"name": "a", "priority": "1000"}, "firewall.priority: '1000' is no integer"),
        ({"name": "a", "direction": "IN"}, "firewall.direction: 'IN' is none of EGRESS, INGRESS"),
        ({"name": "A"}, "firewall.name: 'A' does not match"),
        ({"kind": "compute#rule"}, "firewall.kind: 'compute#rule' is not compute#firewall"),
        ({"id": 17}, "firewall.id: 17 is no string"),
        ({"params": {}}, "firewall.params: is never in an answer"),
        ({"allowed": [{"ipProtocol": "tcp"}]}, "firewall.allowed[0].ipProtocol: there is no such field"),
    ],
)
def test_an_answer_that_google_does_not_describe_is_a_violation(answer: Json, complaint: str) -> None:
    for server in serving("compute.firewalls.get", answer):
        status, said = Raw(server).ask("GET", f"{RULES}/a")
        assert (status, complaint in said["error"]["message"]) == (500, True), said
        assert len(server.take_violations()) == 1


def test_what_a_test_puts_into_the_store_is_held_to_the_description_too(compute: ComputeServer, raw: Raw) -> None:
    compute.store.add_instance("p", "asia-south1-a", "ws", state="RUNNING")
    assert raw.ask("GET", f"{VMS}/ws")[0] == 500
    assert compute.take_violations() == ["the answer of compute.instances.get: instance.state: there is no such field"]


def test_every_handler_answers_a_method_of_the_api() -> None:
    assert HANDLERS.keys() <= compute_v1().methods.keys()


# Rights ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer made-up", "Bearer a.b.c"])
def test_without_a_good_token_nothing_is_told(raw: Raw, header: str) -> None:
    status, answer = raw.ask("GET", RULES, Authorization=header)
    assert (status, answer["error"]["errors"][0]["reason"]) == (401, "required")


def test_a_token_expires_is_revoked_and_is_good_for_its_scopes_only(compute: ComputeServer, raw: Raw) -> None:
    def status_with(token: str, method: str = "GET") -> int:
        return raw.ask(method, RULES, RULE if method == "POST" else None, Authorization=f"Bearer {token}")[0]

    reader = compute.tokens.issue("reader", frozenset({"https://www.googleapis.com/auth/compute.readonly"}))
    assert (status_with(reader), status_with(reader, "POST")) == (200, 403)
    assert status_with(compute.tokens.issue("late", frozenset({CLOUD_PLATFORM}), lifetime=-1)) == 401
    compute.tokens.revoke_all()
    assert status_with(reader) == 401


@pytest.mark.parametrize(
    ("change", "is_good"),
    [({}, True), ({"scope": "https://www.googleapis.com/auth/userinfo.email"}, False), ({"aud": "https://other.example/"}, True)],
)
def test_a_token_that_the_account_signed_needs_a_scope(compute: ComputeServer, raw: Raw, change: Json, is_good: bool) -> None:
    status = raw.ask("GET", RULES, Authorization=f"Bearer {signed(compute, **{'scope': CLOUD_PLATFORM, **change})}")[0]
    assert status == (200 if is_good else 403)


def test_a_token_that_the_account_signed_for_another_audience_is_refused(compute: ComputeServer, raw: Raw) -> None:
    assert raw.ask("GET", RULES, Authorization=f"Bearer {signed(compute, aud='https://compute.googleapis.com/')}")[0] == 200
    assert raw.ask("GET", RULES, Authorization=f"Bearer {signed(compute, aud='https://other.example/')}")[0] == 401
    assert (
        raw.ask("GET", RULES, Authorization=f"Bearer {signed(compute, aud=compute.tokens.audience, iss='x', sub='x')}")[0] == 401
    )


def signed(compute: ComputeServer, **claims: str) -> str:
    import time

    from google.auth import crypt, jwt

    account = compute.tokens.account
    signer = crypt.RSASigner.from_service_account_info(compute.tokens.credentials("unused"))
    now = int(time.time())
    token: bytes = jwt.encode(signer, {"iss": account, "sub": account, "iat": now, "exp": now + 60, **claims})
    return token.decode()


def test_the_metadata_server_answers_only_who_knows_that_it_is_one(raw: Raw) -> None:
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    assert [raw.ask("GET", path)[0], raw.ask("GET", path, **{"Metadata-Flavor": "Google"})[0]] == [403, 200]


def test_a_token_without_the_scope_for_it_gets_none_of_another_account(compute: ComputeServer, raw: Raw) -> None:
    compute.tokens.impersonable.add("robot@p.iam.gserviceaccount.com")
    path = "/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken"
    token = compute.tokens.issue("somebody", frozenset({"https://www.googleapis.com/auth/compute"}))
    asked = {"scope": [CLOUD_PLATFORM], "lifetime": "60s"}
    assert raw.ask("POST", path, asked, Authorization=f"Bearer {token}")[0] == 403
    assert raw.ask("POST", path, asked, Authorization="Bearer made-up")[0] == 401
    assert raw.ask("POST", path, asked)[0] == 200


def test_an_assertion_for_another_token_end_point_is_refused(compute: ComputeServer, raw: Raw) -> None:
    grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
    wrong = grant + signed(compute, scope=CLOUD_PLATFORM, aud="https://other.example/token")
    assert raw.ask("POST", "/token", wrong.encode())[0] == 400
    right = grant + signed(compute, scope=CLOUD_PLATFORM, aud="https://oauth2.googleapis.com/token")
    assert raw.ask("POST", "/token", right.encode())[0] == 200


# Refusals and requestIds of the API --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "global/networks/nowhere"}, "The resource 'projects/p/global/networks/nowhere' was not found"),
        ({"priority": 65536}, "Must be between 0 and 65535"),
        ({"denied": RULE["allowed"]}, "Exactly one of"),
        ({"allowed": []}, "Exactly one of"),
        ({"allowed": [{"IPProtocol": "TCP"}]}, "Must be one of"),
        ({"allowed": [{"IPProtocol": "icmp", "ports": ["1"]}]}, "Ports may not be specified"),
        ({"allowed": [{"IPProtocol": "tcp", "ports": ["9-8"]}]}, "Must be an integer or a range"),
        ({"allowed": [{"IPProtocol": "tcp", "ports": ["65536"]}]}, "Must be an integer or a range"),
        ({"sourceRanges": ["192.0.2.1/24"]}, "Must be a valid CIDR"),
        ({"sourceRanges": ["192.0.2.0/24", "2001:db8::/32"]}, "IPv4 and IPv6"),
        ({"direction": "EGRESS", "sourceTags": ["a"]}, "EGRESS"),
        ({"sourceTags": ["a"], "targetServiceAccounts": ["a@p"]}, "Cannot be specified together"),
        ({"logConfig": {"enable": False, "metadata": "INCLUDE_ALL_METADATA"}}, "if logging is enabled"),
    ],
)
def test_a_rule_that_google_would_not_make_is_refused(raw: Raw, change: Json, message: str) -> None:
    status, answer = raw.ask("POST", RULES, {**RULE, **change})
    assert (status, message in answer["error"]["message"]) == (404 if "not found" in message else 400, True), answer


@pytest.mark.parametrize(
    "change",
    [
        {"network": "global/networks/other"},
        {"direction": "EGRESS", "sourceRanges": []},
        {"allowed": [], "denied": RULE["allowed"]},
        {"name": "another"},
    ],
)
def test_what_a_rule_is_cannot_be_changed(compute: ComputeServer, raw: Raw, change: Json) -> None:
    compute.store.add_network("p", "other")
    raw.write("POST", RULES, RULE)
    status, answer = raw.ask("PUT", f"{RULES}/allow-ws", {**RULE, **change})
    assert (status, "cannot be changed" in answer["error"]["message"]) == (400, True)


def test_a_rule_gets_defaults_by_what_it_is(compute: ComputeServer, raw: Raw) -> None:
    rest = {"allowed": RULE["allowed"]}
    for name, change in (("open", {}), ("tagged", {"sourceTags": ["a"]}), ("out", {"direction": "EGRESS"})):
        raw.write("POST", RULES, {"name": name, **rest, **change})
    said = compute.store.firewalls("p")
    assert [said[name].get("sourceRanges") for name in ("open", "tagged", "out")] == [["0.0.0.0/0"], None, None]
    assert said["out"]["destinationRanges"] == ["0.0.0.0/0"]
    raw.write("PATCH", f"{RULES}/open", {"name": "open", "logConfig": {"enable": True}})
    assert said["open"]["logConfig"] == {"enable": True, "metadata": "INCLUDE_ALL_METADATA"}


VM: Json = {
    "name": "ws",
    "machineType": "zones/asia-south1-a/machineTypes/e2-small",
    "disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}],
    "networkInterfaces": [{"accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}],
}


def interface(**fields: object) -> Json:
    return {"networkInterfaces": [fields]}


def outside(address: str) -> Json:
    return interface(accessConfigs=[{"natIP": address}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"machineType": ""}, "Must be a machine type of the zone asia-south1-a"),
        ({"machineType": "zones/asia-south1-b/machineTypes/e2-small"}, "Must be a machine type of the zone asia-south1-a"),
        ({"disks": []}, "The first disk must be a boot disk"),
        ({"disks": [{"initializeParams": {"sourceImage": "projects/d/global/images/i"}}]}, "The first disk must be a boot disk"),
        ({"disks": [{"boot": True, "initializeParams": {"sourceImage": "debian-12"}}]}, "The URL is malformed"),
        ({"networkInterfaces": []}, "At least one network interface is required"),
        (interface(network="global/networks/nowhere"), "The resource 'projects/p/global/networks/nowhere' was not found"),
        (interface(subnetwork="regions/us-east1/subnetworks/s"), "Must be a subnetwork of the region asia-south1"),
        (outside("203.0.113.99"), "'203.0.113.99' was not found in region 'asia-south1'"),
        (outside("203.0.113.2"), "203.0.113.2 is already in-use"),
    ],
)
def test_a_vm_that_google_would_not_make_is_refused(raw: Raw, change: Json, message: str) -> None:
    assert raw.write("POST", ADDRESSES, {"name": "taken"})["status"] == "DONE"
    raw.write("POST", VMS, {**VM, "name": "taker", **outside("203.0.113.2")})
    status, answer = raw.ask("POST", VMS, {**VM, **change})
    assert (status, message in answer["error"]["message"]) == (404 if "networks/nowhere" in message else 400, True), answer


def test_a_zone_or_region_that_is_none_is_refused(raw: Raw) -> None:
    assert raw.ask("POST", VMS.replace("asia-south1-a", "asia-south1"), VM)[0] == 400
    assert raw.ask("POST", ADDRESSES.replace("asia-south1", "asia-south1-a"), {"name": "ws"})[0] == 400


@pytest.mark.parametrize(("path", "body"), [(RULES, RULE), (VMS, VM), (ADDRESSES, {"name": "ws"})])
def test_what_is_there_cannot_be_made_again(raw: Raw, path: str, body: Json) -> None:
    raw.write("POST", path, body)
    status, answer = raw.ask("POST", path, body)
    assert (status, answer["error"]["errors"][0]["reason"]) == (409, "alreadyExists")


def test_a_protected_vm_is_not_deleted(raw: Raw) -> None:
    raw.write("POST", VMS, {**VM, "deletionProtection": True})
    assert raw.ask("DELETE", f"{VMS}/ws")[0] == 400


def test_a_request_that_is_repeated_with_its_id_is_done_once(compute: ComputeServer, raw: Raw) -> None:
    path = f"{RULES}?requestId={uuid.uuid4()}"
    first, again = raw.ask("POST", path, RULE)[1], raw.ask("POST", path, RULE)[1]
    assert first["name"] == again["name"]
    raw.ask("GET", urlsplit(first["selfLink"]).path)
    assert raw.ask("POST", path, RULE)[1]["status"] == "DONE"
    assert raw.ask("POST", RULES, RULE)[0] == 409
    assert [raw.ask("POST", f"{RULES}?requestId={other}", RULE)[0] for other in (uuid.UUID(int=0), "1")] == [400, 400]
    assert len(compute.store.firewalls("p")) == 1


def test_a_second_operation_on_what_is_not_ready_is_refused(raw: Raw) -> None:
    raw.ask("POST", RULES, RULE)
    assert raw.ask("POST", RULES, RULE)[1]["error"]["errors"][0]["reason"] == "resourceNotReady"


@pytest.mark.parametrize("path", [f"{RULES}/no", f"{VMS}/no", "/compute/v1/projects/p/global/operations/no"])
def test_what_is_not_there_is_not_found(raw: Raw, path: str) -> None:
    status, answer = raw.ask("GET", path)
    assert (status, answer["error"]["errors"][0]["reason"]) == (404, "notFound")


# Faults ------------------------------------------------------------------------------------------------------------------------


def test_an_ordered_error_comes_as_often_as_ordered_and_nothing_is_done(compute: ComputeServer, raw: Raw) -> None:
    compute.fail("POST", "global/firewalls$", status=429, times=2, headers={"Retry-After": "1"})
    answers = [raw.ask("POST", RULES, RULE) for _ in range(3)]
    assert [status for status, _ in answers] == [429, 429, 200]
    assert answers[0][1]["error"] == {
        "code": 429,
        "message": "Rate Limit Exceeded",
        "errors": [{"message": "Rate Limit Exceeded", "domain": "global", "reason": "rateLimitExceeded"}],
        "status": "RESOURCE_EXHAUSTED",
    }
    assert len(compute.requests) == 3


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_dropped_request_gets_no_answer_and_may_have_been_done(compute: ComputeServer, raw: Raw, carried_out: bool) -> None:
    compute.drop("POST", RULES, carried_out=carried_out)
    path = f"{RULES}?requestId={uuid.uuid4()}"
    with pytest.raises(http.client.RemoteDisconnected):
        raw.ask("POST", path, RULE)
    compute.store.operations.looks_until_done = 9
    assert raw.ask("POST", RULES, RULE)[0] == (400 if carried_out else 200)


def test_a_token_can_be_refused_as_google_refuses_one(compute: ComputeServer, raw: Raw) -> None:
    compute.fail("POST", "/token", status=400, reason="invalid_grant", message="Invalid JWT Signature.")
    assert raw.ask("POST", "/token", b"")[1] == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


def test_a_server_that_is_closed_refuses_connections_and_ends_those_it_has(google: Google, compute: ComputeServer) -> None:
    rules = google.Firewalls
    assert list(rules.list(project="p")) == []
    compute.close()
    with pytest.raises(Exception, match="Connection"):
        list(rules.list(project="p", timeout=5, retry=None))


def test_many_clients_at_once_are_served(compute: ComputeServer, raw: Raw) -> None:
    def make(name: str) -> None:
        raw.write("POST", RULES, {**RULE, "name": name})

    threads = [threading.Thread(target=make, args=(f"rule-{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(compute.store.firewalls("p")) == 20
