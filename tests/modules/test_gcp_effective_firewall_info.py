"""gcp_effective_firewall_info with Google's own client, against the Compute API of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.exotel.voicebot.plugins.modules import gcp_effective_firewall_info

from tests.modules.effective_cases import rule
from tests.modules.gcp_module import run

if TYPE_CHECKING:
    from tests.modules.compute.server import ComputeServer

PROJECT, ZONE = "my-project", "asia-south1-a"
VM = {"instance": "voice-1", "zone": ZONE}

MAIN = gcp_effective_firewall_info.main
Ask = Callable[..., dict[str, Any]]


def reach(server: ComputeServer, directory: Path) -> dict[str, Any]:
    """Return options that ask this server about port 8765."""
    return {
        "project": PROJECT,
        "auth_kind": "service_account_file",
        "service_account_file": str(server.credentials_file(directory)),
        "api_endpoint": server.url,
        "timeout": 60,
        "port": 8765,
    }


@pytest.fixture
def ask(compute: ComputeServer, tmp_path: Path) -> Ask:
    """Return a function that runs the module about port 8765, by default of voice-1."""
    google = reach(compute, tmp_path)

    def asked(check: bool = False, **options: Any) -> dict[str, Any]:
        result = run(MAIN, {**google, **(options or VM)}, check=check)
        assert compute.requests.writes == []
        return result

    return asked


@pytest.fixture
def vm(compute: ComputeServer) -> dict[str, Any]:
    """Add the instance voice-1, which runs and has an external address."""
    return compute.store.add_instance(
        PROJECT, ZONE, "voice-1", tags=["voice"], service_account="bot@my-project.iam.gserviceaccount.com"
    )


def external(instance: dict[str, Any], nic: int = 0) -> str:
    return str(instance["networkInterfaces"][nic]["accessConfigs"][0]["natIP"])


def add_rule(compute: ComputeServer, name: str, action: str = "allowed", network_link: str = "", **fields: Any) -> None:
    """Add a VPC rule for tcp:8765 from anywhere, as the API has it after it was made."""
    compute.store.firewalls(PROJECT)[name] = {
        "kind": "compute#firewall",
        "name": name,
        "network": network_link or compute.store.networks(PROJECT)["default"]["selfLink"],
        "direction": "INGRESS",
        "priority": 1000,
        "sourceRanges": ["0.0.0.0/0"],
        action: [{"IPProtocol": "tcp", "ports": ["8765"]}],
        "disabled": False,
        **fields,
    }


# -- the story ---------------------------------------------------------------------------------------------------------


def test_from_closed_to_open_to_blocked(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    closed = ask()
    assert (closed["reachable"], closed["changed"]) == ("no", False)
    assert closed["text"] == "tcp:8765 is denied by the implied rule, as nothing allows it"
    assert [entry["level"] for entry in closed["rules"]] == ["implied"]

    add_rule(compute, "allow-exotel-ws", targetTags=["voice"])
    opened = ask()
    assert (opened["reachable"], opened["text"]) == ("yes", "tcp:8765 is allowed by rule allow-exotel-ws, priority 1000")
    assert opened["shares"] == [
        {"source": ["0.0.0.0/0"], "reachable": "yes", "rules": ["rule allow-exotel-ws, priority 1000"], "doubts": []}
    ]
    assert opened["rules"][0] == {
        "level": "VPC rules",
        "policy": "",
        "name": "allow-exotel-ws",
        "priority": 1000,
        "action": "allow",
        "match": "from 0.0.0.0/0 to tcp:8765 on voice",
        "certain": True,
    }

    add_rule(compute, "block-all", "denied", priority=900)
    blocked = ask()
    assert (blocked["reachable"], blocked["text"]) == ("no", "tcp:8765 is denied by rule block-all, priority 900")
    assert [entry["name"] for entry in blocked["rules"]] == ["block-all", "allow-exotel-ws", ""]

    office = ask(**VM, source=["192.0.2.0/24"], protocol="udp", check=True)
    assert (office["reachable"], office["port"]) == ("no", "udp:8765")


def test_policies_stand_around_the_rules_as_the_network_says(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    add_rule(compute, "allow-exotel-ws")
    compute.store.add_policy(PROJECT, "corp", [rule(100, "goto_next", match={"srcIpRanges": ["0.0.0.0/0"]})])
    compute.store.add_policy(PROJECT, "net", [rule(7, "deny", name="no-voice")], type="NETWORK")
    assert ask()["text"] == "tcp:8765 is allowed by rule allow-exotel-ws, priority 1000"

    compute.store.networks(PROJECT)["default"]["networkFirewallPolicyEnforcementOrder"] = "BEFORE_CLASSIC_FIREWALL"
    before = ask()
    assert before["text"] == "tcp:8765 is denied by rule 7 (no-voice) of the global network policy net"
    levels = [entry["level"] for entry in before["rules"]]
    assert levels == sorted(levels, key=["hierarchical policy", "global network policy", "VPC rules", "implied"].index)

    compute.store.add_policy(PROJECT, "top", [rule(1, "deny", match={"srcRegionCodes": ["KP"]})])
    doubtful = ask(**VM, source=["192.0.2.1"])
    assert doubtful["reachable"] == "no", "what only Google knows makes no difference here"
    compute.store.networks(PROJECT)["default"]["networkFirewallPolicyEnforcementOrder"] = "AFTER_CLASSIC_FIREWALL"
    doubtful = ask()
    assert doubtful["reachable"] == "unknown"
    assert doubtful["shares"][0]["doubts"] == [
        "rule 1 of the hierarchical policy top denies countries KP, and only Google knows who that is"
    ]


def test_rules_for_others_do_not_count(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    lab = compute.store.add_network(PROJECT, "lab")
    add_rule(compute, "elsewhere", network_link=lab["selfLink"])
    add_rule(compute, "for-web", targetTags=["web"])
    add_rule(compute, "for-another", targetServiceAccounts=["web@my-project.iam.gserviceaccount.com"])
    add_rule(compute, "from-within", sourceRanges=[], sourceTags=["web"])
    assert ask()["reachable"] == "no"
    add_rule(compute, "for-the-bot", targetServiceAccounts=["bot@my-project.iam.gserviceaccount.com"])
    assert ask()["reachable"] == "yes"


def test_a_network_shared_by_another_project_is_asked_there(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    shared = compute.store.add_network("host-project", "shared", order="BEFORE_CLASSIC_FIREWALL")
    vm["networkInterfaces"][0]["network"] = shared["selfLink"]
    compute.store.add_policy("host-project", "net", [rule(7, "deny")], type="NETWORK", network="shared")
    compute.store.project(PROJECT).policies += compute.store.project("host-project").policies
    add_rule(compute, "open", network_link=shared["selfLink"])
    assert ask()["text"] == "tcp:8765 is denied by rule 7 of the global network policy net"


# -- the instance and its interfaces -----------------------------------------------------------------------------------


def test_it_is_found_by_either_address_on_any_page(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    for number in range(5):
        compute.store.add_instance(PROJECT, ["asia-south1-a", "us-central1-a"][number % 2], f"other-{number}")
    compute.store.page_size = 2
    add_rule(compute, "open")
    by_external, by_internal = ask(address=external(vm)), ask(address=vm["networkInterfaces"][0]["networkIP"])
    assert by_external["instance"] == by_internal["instance"]
    assert by_external["instance"] == {
        "project": PROJECT,
        "name": "voice-1",
        "zone": ZONE,
        "status": "RUNNING",
        "network_interface": "nic0",
        "network": f"projects/{PROJECT}/global/networks/default",
        "internal": [vm["networkInterfaces"][0]["networkIP"]],
        "external": [external(vm)],
    }
    assert ask(instance="voice-1")["instance"]["zone"] == ZONE


def test_the_interface_with_the_address_is_looked_at(compute: ComputeServer, ask: Ask) -> None:
    calls = compute.store.add_network(PROJECT, "calls")
    vm = compute.store.add_instance(PROJECT, ZONE, "two-legs", networks=["default", "calls"])
    add_rule(compute, "open", network_link=calls["selfLink"])
    assert ask(address=external(vm, 0))["reachable"] == "no"
    second = ask(address=external(vm, 1))
    assert (second["reachable"], second["instance"]["network_interface"]) == ("yes", "nic1")
    assert ask(instance="two-legs", network_interface="nic1")["reachable"] == "yes"
    assert ask(instance="two-legs")["instance"]["network_interface"] == "nic0"
    refused = ask(instance="two-legs", network_interface="nic7")
    assert refused["failed"]
    assert "has no network interface nic7; it has nic0 (" in refused["msg"]


def test_a_stopped_instance_and_one_without_an_external_address_say_so(compute: ComputeServer, ask: Ask) -> None:
    add_rule(compute, "open")
    compute.store.add_instance(PROJECT, ZONE, "asleep", status="TERMINATED")
    compute.store.add_instance(PROJECT, ZONE, "inner", external=False)
    asleep, inner = ask(instance="asleep", zone=ZONE), ask(instance="inner", zone=ZONE)
    assert (asleep["reachable"], inner["reachable"]) == ("no", "no")
    assert asleep["text"].startswith("instance asleep is TERMINATED, so nothing arrives; by its firewall tcp:8765 is allowed by")
    assert inner["obstacles"] == ["nic0 of instance inner has no external address that 0.0.0.0/0 could come to"]
    from_within = ask(instance="inner", zone=ZONE, source=["10.0.0.0/8"])
    assert (from_within["reachable"], from_within["obstacles"]) == ("yes", [])


def test_a_family_without_an_address_is_not_judged(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    add_rule(compute, "open")
    both = ask(**VM, source=["0.0.0.0/0", "::/0"])
    assert (both["reachable"], both["unserved"]) == ("yes", ["::/0"])


# -- faults ------------------------------------------------------------------------------------------------------------


def test_an_instance_that_is_not_there(compute: ComputeServer, ask: Ask) -> None:
    by_address, by_name, in_zone = ask(address="192.0.2.9"), ask(instance="voice-9"), ask(instance="voice-9", zone=ZONE)
    assert by_address["msg"].startswith("no instance with the address 192.0.2.9 in project my-project. Is it in another project")
    assert by_name["msg"].startswith("no instance voice-9 in project my-project.")
    assert {one["reason"] for one in (by_address, by_name, in_zone)} == {"notFound"}


def test_a_zone_that_could_not_be_asked_is_named(tmp_path: Path) -> None:
    from tests.modules.compute.handlers import HANDLERS
    from tests.modules.compute.server import ComputeServer

    def partly(*_: object) -> dict[str, Any]:
        warning = {"code": "UNREACHABLE", "message": "The zone does not answer."}
        return {"items": {"zones/us-central1-a": {"warning": warning}}}

    server = ComputeServer({**HANDLERS, "compute.instances.aggregatedList": partly})
    try:
        options = {**reach(server, tmp_path), "address": "192.0.2.9"}
        assert "in project my-project; these could not be asked: us-central1-a." in run(MAIN, options)["msg"]
    finally:
        server.close()


def test_one_name_in_two_zones_is_asked_back(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    compute.store.add_instance(PROJECT, "us-central1-a", "voice-1")
    assert "is in the zones asia-south1-a and us-central1-a: say which one" in ask(instance="voice-1")["msg"]


def test_who_may_not_look_is_told_the_role(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    said = "Required 'compute.instances.getEffectiveFirewalls' permission for 'projects/my-project'"
    compute.fail("GET", "getEffectiveFirewalls", status=403, reason="forbidden", message=said)
    refused = ask()
    assert (refused["failed"], refused["code"], refused["reason"]) == (True, 403, "forbidden")
    assert "compute.instances.getEffectiveFirewalls" in refused["msg"]
    assert "roles/compute.viewer" in refused["msg"]
    assert "\n" not in refused["msg"]


def test_an_overload_passes(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    compute.fail("GET", "aggregated/instances", status=503, reason="backendError", message="busy", times=2)
    compute.drop("GET", "getEffectiveFirewalls")
    assert ask(address=external(vm))["reachable"] == "no"


def test_a_rule_that_is_not_understood_is_no_answer(compute: ComputeServer, ask: Ask, vm: dict[str, Any]) -> None:
    compute.store.add_policy(PROJECT, "odd", [rule(3, "mirror", match={"srcIpRanges": ["0.0.0.0/0"]})])
    refused = ask()
    assert (refused["failed"], refused["reason"]) == (True, "unreadable")
    assert refused["msg"] == "rule 3 of the hierarchical policy odd has the action 'mirror': what it does is not known"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a port beyond": ({**VM, "port": 70_000}, "port: 70000 is not between 1 and 65535"),
    "no address": ({**VM, "source": ["office"]}, "source: 'office' does not appear to be"),
    "no source": ({**VM, "source": []}, "source: name at least one"),
    "nothing to look at": ({"zone": ZONE}, "instance"),
    "an instance's path": ({"instance": "zones/z/instances/voice"}, "instance: 'zones/z/instances/voice' is no name of Google's"),
    "a zone's path": ({"instance": "voice", "zone": "a/b"}, "zone: 'a/b' is no name of Google's"),
    "an empty name": ({"instance": ""}, "instance: name the instance, or one of its addresses"),
    "a name of nowhere": ({"address": "voice.invalid"}, "address: voice.invalid is no IP address and cannot be resolved"),
}


@pytest.mark.parametrize(("options", "says"), WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused_before_anything_is_asked(
    compute: ComputeServer, ask: Ask, options: dict[str, Any], says: str
) -> None:
    refused = ask(**options)
    assert refused["failed"]
    assert says in refused["msg"]
    assert compute.requests == []
