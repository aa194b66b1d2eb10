"""provision.yml as typed, with the tests' Compute API as Google and a host of the lab as the new VM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.lab.labhost import LAB_DIR, HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree

if TYPE_CHECKING:
    from tests.modules.compute.server import ComputeServer

SPEC = HostSpec("exo-e32", "bookworm", "198.18.65.132")
PROJECT = "my-project"


@pytest.fixture(scope="module")
def compute() -> Iterator[ComputeServer]:
    """Yield a Compute API whose next address is the lab host's."""
    from tests.modules.compute.server import ComputeServer

    server = ComputeServer()
    server.store.reserved = iter([SPEC.address])
    yield server
    server.close()
    assert not server.violations, server.violations


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


@pytest.fixture(scope="module")
def provision(compute: ComputeServer, host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Play]:
    """Return a function that runs provision.yml with further arguments, without an inventory."""
    directory = tmp_path_factory.mktemp("provision")
    source = copy_of_tree(directory / "tree")
    settings = {
        "gcp_project": PROJECT,
        "gcp_api_endpoint": compute.url,
        "gcp_service_account_file": compute.credentials_file(directory),
        "gcp_vm_user": "operator",
        "gcp_vm_ssh_key": LAB_DIR / "ssh/id_ed25519",
        "exotel_ws_source": source,
    }
    arguments = [f"--extra-vars={name}={value}" for name, value in settings.items()]
    # Not the lab's own, because the host key of a new VM is unknown.
    arguments.append(f"--extra-vars=ansible_ssh_extra_args='-o UserKnownHostsFile={directory / 'known_hosts'}'")
    return lambda *further: play("playbooks/provision.yml", *arguments, *further)


def words(done: Play) -> str:
    """Return the playbook's output without the line breaks that it puts into a message."""
    return " ".join(done.stdout.split())


def test_check_mode_makes_nothing(provision: Callable[..., Play], compute: ComputeServer) -> None:
    done = provision("--check", "--diff")
    assert (done.rc, done.failed) == (0, 0), done.stdout
    assert "this would reserve the address voicebot-1 in asia-south1, then create the VM voicebot-1" in words(done)
    assert compute.requests.writes == []


def test_from_a_bare_project_to_a_call(provision: Callable[..., Play], compute: ComputeServer) -> None:
    done = provision()
    assert (done.rc, done.failed) == (0, 0), done.stdout
    assert f"ws://{SPEC.address}:8765" in done.stdout, done.stdout
    [(zone, _)] = compute.store.instances(PROJECT)
    assert zone == "asia-south1-a"
    [rule] = compute.store.firewalls(PROJECT).values()
    assert rule["allowed"] == [{"IPProtocol": "tcp", "ports": ["8765"]}]


def test_a_second_time_nothing_changes(provision: Callable[..., Play], compute: ComputeServer) -> None:
    writes = len(compute.requests.writes)
    done = provision()
    assert (done.rc, done.failed, done.changed) == (0, 0, 0), done.stdout
    assert len(compute.requests.writes) == writes == 3


def test_it_is_deleted_only_with_consent(provision: Callable[..., Play], compute: ComputeServer) -> None:
    refused = provision("-e", "gcp_vm_state=absent")
    assert refused.rc == 2, refused.stdout
    assert "add -e gcp_vm_yes=true" in words(refused)
    assert len(compute.store.instances(PROJECT)) == 1

    done = provision("-e", "gcp_vm_state=absent", "-e", "gcp_vm_yes=true")
    assert (done.rc, done.failed, done.changed) == (0, 0, 1), done.stdout
    assert (compute.store.instances(PROJECT), compute.store.addresses(PROJECT)) == ({}, {})
