"""gcp_vm against the Compute API of the tests: from nothing to a VM and back, and the remains after a failure on the way."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.exotel.voicebot.plugins.modules import gcp_vm

from tests.modules.gcp_module import run

if TYPE_CHECKING:
    from tests.modules.compute.server import ComputeServer

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0k me@desk"
PROJECT = "my-project"
PLACE = ("asia-south1-a", "voicebot-1")
ADDRESS_PLACE = ("asia-south1", "voicebot-1")
RESERVE = "reserve the address voicebot-1 in asia-south1"
CREATE = "create the VM voicebot-1 in asia-south1-a"
DELETE = "delete the VM voicebot-1 in asia-south1-a, with its disk"
RELEASE = "release the address voicebot-1 in asia-south1"


class Google:
    """API of the test, and the module run against it for one VM."""

    def __init__(self, compute: ComputeServer, directory: Path) -> None:
        self.compute = compute
        self._options = {
            "project": PROJECT,
            "name": "voicebot-1",
            "zone": "asia-south1-a",
            "tags": ["exotel-voicebot"],
            "ssh_public_key": KEY,
            "auth_kind": "service_account_file",
            "service_account_file": str(compute.credentials_file(directory)),
            "api_endpoint": compute.url,
            "timeout": 30,
        }

    def present(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return run(gcp_vm.main, self._options | options, check=check)

    def absent(self, *, check: bool = False) -> dict[str, Any]:
        return self.present(check=check, state="absent", ssh_public_key=None)

    @property
    def writes(self) -> int:
        return len(self.compute.requests.writes)

    @property
    def vm(self) -> dict[str, Any]:
        return self.compute.store.instances(PROJECT)[PLACE]


@pytest.fixture
def google(compute: ComputeServer, tmp_path: Path) -> Google:
    return Google(compute, tmp_path)


def test_from_nothing_to_a_vm_and_back(google: Google) -> None:
    refused = google.present(ssh_public_key=None)
    assert refused["failed"]
    assert "ssh_public_key" in refused["msg"]

    foreseen = google.present(check=True)
    assert (foreseen["changed"], foreseen["steps"], foreseen["address"]) == (True, [RESERVE, CREATE], "")
    assert foreseen["text"] == f"this would {RESERVE}, then {CREATE}"
    assert foreseen["diff"]["before"] == {"address": "none", "vm": "none"}
    assert foreseen["diff"]["after"]["vm"]["machine_type"] == "e2-medium"
    assert google.writes == 0

    made = google.present()
    assert (made["changed"], made["steps"]) == (True, [RESERVE, CREATE]), made
    assert made["text"] == f"done: {RESERVE}, then {CREATE}; its address is {made['address']}"
    assert [entry["status"] for entry in made["operations"]] == ["DONE", "DONE"]
    assert google.compute.store.addresses(PROJECT)[ADDRESS_PLACE]["address"] == made["address"] != ""
    assert made["address"] == google.vm["networkInterfaces"][0]["accessConfigs"][0]["natIP"]

    before = copy.deepcopy(google.vm)
    again = google.present()
    assert (again["changed"], again["steps"], again["address"]) == (False, [], made["address"])
    assert again["text"] == f"it is there, nothing to do; its address is {made['address']}"
    assert again["diff"]["before"] == again["diff"]["after"]
    assert (google.writes, google.vm) == (2, before)

    doomed = google.absent(check=True)
    assert (doomed["changed"], doomed["steps"]) == (True, [DELETE, RELEASE])
    assert google.writes == 2

    gone = google.absent()
    assert (gone["changed"], gone["steps"], gone["address"]) == (True, [DELETE, RELEASE], "")
    assert gone["text"] == f"done: {DELETE}, then {RELEASE}"
    assert google.absent()["text"] == "nothing is there"
    assert (google.compute.store.instances(PROJECT), google.compute.store.addresses(PROJECT)) == ({}, {})
    assert google.absent()["changed"] is False


def test_the_vm_is_as_the_options_say(google: Google) -> None:
    google.compute.store.add_network(PROJECT, "calls")
    options: dict[str, Any] = {"network": "calls", "subnetwork": "s", "machine_type": "e2-small", "disk_gb": 30, "ssh_user": "me"}
    assert google.present(**options)["changed"]
    vm = google.vm
    assert vm["machineType"].endswith("/zones/asia-south1-a/machineTypes/e2-small")
    assert vm["tags"]["items"] == ["exotel-voicebot"]
    assert {item["key"]: item["value"] for item in vm["metadata"]["items"]} == {
        "enable-oslogin": "FALSE",
        "ssh-keys": f"me:{KEY}",
    }
    [asked] = [request.body for request in google.compute.requests.writes if request.path.endswith("/instances")]
    assert asked["disks"][0]["initializeParams"] == {
        "sourceImage": "projects/debian-cloud/global/images/family/debian-12",
        "diskSizeGb": "30",
    }
    assert "serviceAccounts" not in asked
    [interface] = vm["networkInterfaces"]
    assert interface["network"].endswith("/projects/my-project/global/networks/calls")
    assert interface["subnetwork"].endswith("/projects/my-project/regions/asia-south1/subnetworks/s")
    assert google.present(**options)["changed"] is False


def test_after_a_vm_that_failed_a_second_run_goes_on_with_the_address(google: Google) -> None:
    google.compute.fail("POST", "/instances", status=403, reason="quotaExceeded", message="Quota 'CPUS' exceeded. Limit: 8.0")
    failed = google.present()
    address = google.compute.store.addresses(PROJECT)[ADDRESS_PLACE]["address"]
    assert (failed["failed"], failed["changed"], failed["reason"]) == (True, True, "quotaExceeded")
    assert f"The address {address} stays reserved" in failed["msg"]
    assert failed["address"] == address
    assert [entry["what"] for entry in failed["operations"]] == ["insert of address voicebot-1"]

    made = google.present()
    assert (made["steps"], made["address"]) == ([CREATE], address)
    assert len(google.compute.store.addresses(PROJECT)) == 1


def test_after_an_address_whose_vm_failed_absent_releases_it(google: Google) -> None:
    google.compute.fail("POST", "/instances", status=400, reason="invalid", message="no such image")
    assert google.present()["failed"]
    assert google.absent()["steps"] == [RELEASE]
    assert google.compute.store.addresses(PROJECT) == {}


def test_a_zone_without_room_is_told_with_the_way_out(google: Google) -> None:
    assert google.present()["changed"]
    google.compute.store.instances(PROJECT).clear()
    google.compute.fail_operation("insert", code="ZONE_RESOURCE_POOL_EXHAUSTED", message="not enough resources in the zone")
    failed = google.present()
    assert failed["failed"]
    assert "choose another zone of asia-south1" in failed["msg"]
    assert [entry["status"] for entry in failed["operations"]] == ["FAILED"]
    assert failed["changed"] is False


def test_an_address_that_failed_leaves_nothing(google: Google) -> None:
    google.compute.fail(
        "POST", "/addresses", status=403, reason="forbidden", message="Required 'compute.addresses.create' permission"
    )
    failed = google.present()
    assert (failed["failed"], failed["changed"], failed["operations"]) == (True, False, [])
    assert "roles/compute.networkAdmin" in failed["msg"]
    assert google.compute.store.addresses(PROJECT) == {}


@pytest.mark.parametrize("permission", ["compute.instances.create", "compute.disks.create", "compute.subnetworks.useExternalIp"])
def test_what_a_vm_takes_is_one_role(google: Google, permission: str) -> None:
    message = f"Required '{permission}' permission for 'projects/my-project/zones/asia-south1-a'"
    google.compute.fail("POST", "/instances", status=403, reason="forbidden", message=message)
    failed = google.present()
    assert f"lacks the permission {permission}" in failed["msg"]
    assert "--role=roles/compute.instanceAdmin.v1" in failed["msg"]


def test_an_operation_without_end_is_given_up(google: Google) -> None:
    google.compute.stall_operations()
    failed = google.present(timeout=2)
    assert (failed["failed"], failed["reason"]) == (True, "timeout")
    assert "--region=asia-south1" in failed["msg"]


def test_a_lost_answer_makes_neither_twice(google: Google) -> None:
    for path in ("/addresses", "/instances"):
        google.compute.drop("POST", path, carried_out=True)
    made = google.present()
    assert made["changed"], made
    assert (len(google.compute.store.addresses(PROJECT)), len(google.compute.store.instances(PROJECT))) == (1, 1)


def test_a_vm_that_somebody_changed_is_not_changed(google: Google) -> None:
    assert google.present()["changed"]
    writes, before = google.writes, copy.deepcopy(google.vm)
    refused = google.present(tags=["exotel-voicebot", "other"])
    assert (refused["failed"], refused["reason"], refused["changed"]) == (True, "different", False)
    assert "add-tags voicebot-1 --tags=other" in refused["msg"]
    warned = google.present(machine_type="e2-standard-4")
    assert warned["changed"] is False
    assert "set-machine-type voicebot-1 --machine-type=e2-standard-4" in str(warned["warnings"])
    assert (google.writes, google.vm) == (writes, before)


def test_a_vm_that_is_stopped_is_not_started(google: Google) -> None:
    assert google.present()["changed"]
    google.vm["status"] = "TERMINATED"
    refused = google.present()
    assert refused["failed"]
    assert "gcloud compute instances start voicebot-1" in refused["msg"]
    assert google.writes == 2


def test_a_vm_that_is_still_being_made_is_waited_for_with_a_bound(google: Google) -> None:
    assert google.present()["changed"]
    google.vm["status"] = "STAGING"
    refused = google.present(timeout=2)
    assert refused["failed"]
    assert "it is STAGING: wait a minute and run it again" in refused["msg"]


def test_what_others_made_stays(google: Google) -> None:
    google.compute.store.add_instance(PROJECT, *PLACE, tags=["exotel-voicebot"])
    refused = google.absent()
    assert refused["failed"]
    assert "nothing is deleted" in refused["msg"]
    assert PLACE in google.compute.store.instances(PROJECT)


def test_an_address_that_was_reserved_by_hand_is_used_and_kept(google: Google) -> None:
    assert google.present()["changed"]
    google.compute.store.instances(PROJECT).clear()
    address = google.compute.store.addresses(PROJECT)[ADDRESS_PLACE]
    address["description"] = "the number that Exotel knows"
    assert google.present()["steps"] == [CREATE]
    gone = google.absent()
    assert gone["steps"] == [DELETE]
    assert "address voicebot-1 stays reserved: it was not reserved by this module" in str(gone["warnings"])
    assert gone["address"] == address["address"]


def test_a_project_that_is_not_there_is_not_a_vm_that_is_not_there(google: Google) -> None:
    message = "The resource 'projects/my-project' was not found"
    google.compute.fail("GET", "/addresses/", status=404, reason="notFound", message=message)
    failed = google.present()
    assert failed["failed"]
    assert "project my-project does not exist" in failed["msg"]
    assert google.writes == 0


@pytest.mark.parametrize(("option", "value"), [("name", "Voicebot_1"), ("zone", "asia-south1"), ("ssh_user", "root")])
def test_an_option_that_cannot_be_right_is_refused_before_google_is_asked(google: Google, option: str, value: Any) -> None:
    refused = google.present(**{option: value})
    assert (refused["failed"], refused["reason"]) == (True, "invalid")
    assert refused["msg"].startswith(f"{option}: ")
    assert list(google.compute.requests) == []
