"""Steps for a VM, by the existing resources: none of them is changed, and only ours are deleted."""

from dataclasses import replace

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.vm import (
    Address,
    Plan,
    Vm,
    Wanted,
    WrongOption,
    network_of,
    plan_absent,
    plan_present,
    vm_body,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0k"
WANTED = Wanted(
    project="p",
    name="voicebot-1",
    zone="asia-south1-a",
    machine_type="e2-medium",
    image="debian-cloud/debian-12",
    disk_gb=20,
    network="default",
    subnetwork=None,
    tags=("exotel-voicebot",),
    ssh_user="deploy",
    ssh_public_key=f"{KEY} me@desk",
)
VM = Vm(
    status="RUNNING",
    machine_type="e2-medium",
    disk_gb=20,
    network="projects/p/global/networks/default",
    tags=("exotel-voicebot", "another"),
    address="203.0.113.9",
    ssh_keys=(f"deploy:{KEY} other comment",),
    ours=True,
)
ADDRESS = Address(ip="203.0.113.9", external=True, users=("voicebot-1",), ours=True)
FREE = replace(ADDRESS, users=())


@pytest.mark.parametrize(
    ("vm", "address", "steps"),
    [(None, None, ("reserve", "create")), (None, FREE, ("create",)), (VM, ADDRESS, ()), (replace(VM, ours=False), ADDRESS, ())],
    ids=["nothing there", "an address", "all there", "made by hand"],
)
def test_what_is_missing_is_made(vm: Vm | None, address: Address | None, steps: tuple[str, ...]) -> None:
    assert plan_present(WANTED, vm, address) == Plan(steps)


@pytest.mark.parametrize(
    ("vm", "address", "said"),
    [
        (
            replace(VM, status="TERMINATED"),
            ADDRESS,
            "it is TERMINATED: gcloud compute instances start voicebot-1 --zone=",
        ),
        (replace(VM, status="SUSPENDED"), ADDRESS, "it is SUSPENDED: gcloud compute instances resume voicebot-1"),
        (
            replace(VM, network="projects/p/global/networks/other"),
            ADDRESS,
            "in the network projects/p/global/networks/other",
        ),
        (
            replace(VM, tags=()),
            ADDRESS,
            "gcloud compute instances add-tags voicebot-1 --tags=exotel-voicebot",
        ),
        (replace(VM, address=""), FREE, "add-access-config voicebot-1 --zone=asia-south1-a --project=p --address=203.0.113.9"),
        (VM, None, "gcloud compute addresses create voicebot-1 --addresses=203.0.113.9 --region=asia-south1 --project=p"),
        (replace(VM, address="203.0.113.5"), FREE, "it has the address 203.0.113.5, but voicebot-1 is 203.0.113.9"),
        (None, replace(FREE, external=False), "address voicebot-1 (203.0.113.9) is an internal one"),
        (None, replace(ADDRESS, users=("web-1",)), "address voicebot-1 (203.0.113.9) is in use by web-1"),
    ],
)
def test_what_keeps_calls_away_stops_with_its_cure(vm: Vm | None, address: Address | None, said: str) -> None:
    [problem] = plan_present(WANTED, vm, address).problems
    assert said in problem


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        (
            replace(VM, machine_type="e2-micro"),
            "set-machine-type voicebot-1 --machine-type=e2-medium",
        ),
        (replace(VM, disk_gb=10), "gcloud compute disks resize voicebot-1 --size=20GB"),
        (replace(VM, ssh_keys=(f"another:{KEY}",)), "the key is not among those that it has for deploy"),
        (replace(VM, ssh_keys=()), "gcloud compute ssh deploy@voicebot-1 --ssh-key-file=PRIVATE_KEY"),
    ],
)
def test_what_may_stay_so_is_a_warning(vm: Vm, said: str) -> None:
    plan = plan_present(WANTED, vm, ADDRESS)
    assert (plan.steps, plan.problems) == ((), ())
    [warning] = plan.warnings
    assert said in warning


def test_a_larger_disk_is_as_good() -> None:
    assert plan_present(WANTED, replace(VM, disk_gb=50), ADDRESS) == Plan()


@pytest.mark.parametrize(
    ("vm", "address", "steps", "kept"),
    [
        (VM, ADDRESS, ("delete", "release"), None),
        (VM, None, ("delete",), None),
        (None, FREE, ("release",), None),
        (None, None, (), None),
        (VM, replace(ADDRESS, ours=False), ("delete",), "it was not reserved by this module"),
        (None, replace(ADDRESS, users=("web-1",)), (), "web-1 uses it"),
    ],
    ids=["both", "no address", "no vm", "neither", "an address of theirs", "used by another"],
)
def test_only_what_is_ours_is_removed(vm: Vm | None, address: Address | None, steps: tuple[str, ...], kept: str | None) -> None:
    plan = plan_absent(WANTED, vm, address)
    assert (plan.steps, plan.problems) == (steps, ())
    assert [warning.partition("stays reserved: ")[2] for warning in plan.warnings] == ([kept] if kept else [])


def test_a_vm_of_somebody_else_is_not_deleted() -> None:
    plan = plan_absent(WANTED, replace(VM, ours=False), ADDRESS)
    assert plan.steps == ()
    assert "has no label managed-by=exotel-voicebot; nothing is deleted" in plan.problems[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "Voicebot_1"),
        ("zone", "asia-south1"),
        ("tags", ("8765",)),
        ("ssh_user", "root"),
        ("ssh_user", "a b"),
        ("ssh_public_key", ""),
        ("ssh_public_key", "-----BEGIN OPENSSH PRIVATE KEY-----"),
        ("ssh_public_key", f"{KEY} a\nroot:{KEY} b"),
    ],
)
def test_an_option_that_cannot_be_right_is_named(option: str, value: object) -> None:
    with pytest.raises(WrongOption, match=f"^{option}: "):
        replace(WANTED, **{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "reference",
    [
        "n",
        "global/networks/n",
        "projects/p/global/networks/n",
        "https://www.googleapis.com/compute/v1/projects/p/global/networks/n",
    ],
)
def test_a_network_has_one_name(reference: str) -> None:
    assert network_of(reference, "p") == "projects/p/global/networks/n"


@pytest.mark.parametrize(
    ("said", "link"),
    [
        (None, None),
        ("s", "projects/p/regions/asia-south1/subnetworks/s"),
        ("regions/r/subnetworks/s", "projects/p/regions/r/subnetworks/s"),
        ("projects/q/regions/r/subnetworks/s", "projects/q/regions/r/subnetworks/s"),
    ],
)
def test_the_subnetwork_is_of_the_region(said: str | None, link: str | None) -> None:
    [interface] = vm_body(replace(WANTED, subnetwork=said), "203.0.113.9")["network_interfaces"]
    assert interface.get("subnetwork") == link


def test_a_private_key_is_not_shown() -> None:
    with pytest.raises(WrongOption) as refused:
        replace(WANTED, ssh_public_key="-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA")
    assert "b3Bl" not in str(refused.value)
