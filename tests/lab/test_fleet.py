"""Rollback of several hosts: one source everywhere, with any Python; hosts without an older release are named and left."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import releases
from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.test_deploy import current

SPECS = [HostSpec("exo-t30", "bookworm", "198.18.65.130"), HostSpec("exo-t31", "trixie", "198.18.65.131")]


@pytest.fixture(scope="module")
def trees() -> Iterator[list[Path]]:
    """Copy the sources of two releases."""
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as directory:
        yield [releases.copy_of_tree(Path(directory) / "first"), releases.another_release(Path(directory) / "second")]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, trees: list[Path]) -> Iterator[list[LabHost]]:
    """Yield two hosts: the first had both releases, the second has only the second one."""
    inventory = tmp_path_factory.mktemp("fleet") / "hosts.yml"
    hosts = bring_up(SPECS, inventory)
    assert deploy(hosts, trees[0], "--limit", SPECS[0].name).rc == 0
    assert deploy(hosts, trees[1]).rc == 0
    yield hosts
    for host in hosts:
        host.disconnect()
    take_down(SPECS, inventory)


def deploy(hosts: list[LabHost], tree: Path, *args: str) -> Play:
    return play("deploy.yml", *args, "-e", f"exotel_ws_source={tree}", inventory=hosts[0].inventory)


def rollback(hosts: list[LabHost], *args: str) -> Play:
    return play("playbooks/rollback.yml", *args, inventory=hosts[0].inventory)


def serving(host: LabHost) -> str:
    """Return the serving release."""
    return Path(host.run("readlink /opt/exotel-ws/current").stdout.strip()).name


def test_a_generation_of_one_host_is_no_answer_for_two(hosts: list[LabHost]) -> None:
    before = [current(host) for host in hosts]
    done = rollback(hosts, "-e", f"exotel_ws_generation={before[0]}")
    assert done.rc != 0
    assert "--limit HOST" in done.stdout
    assert [current(host) for host in hosts] == before


def test_the_others_go_back_and_who_has_nothing_older_is_named(hosts: list[LabHost]) -> None:
    before, releases_before = [current(host) for host in hosts], [serving(host) for host in hosts]
    done = rollback(hosts)
    assert done.rc != 0
    assert f"{hosts[1].name} was left alone: there is no older generation" in " ".join(done.stdout.split())
    assert f"{hosts[0].name} takes calls" in done.stdout
    assert [current(host) == name for host, name in zip(hosts, before, strict=True)] == [False, True]
    assert [serving(host) == name for host, name in zip(hosts, releases_before, strict=True)] == [False, True]


def test_hosts_of_another_python_go_back_to_the_same_source(hosts: list[LabHost], trees: list[Path]) -> None:
    assert deploy(hosts, trees[0]).rc == 0
    first = [serving(host) for host in hosts]
    assert deploy(hosts, trees[1]).rc == 0
    done = rollback(hosts)
    assert done.rc == 0, done.stdout
    assert [serving(host) for host in hosts] == first


def test_a_named_release_is_what_all_go_to(hosts: list[LabHost], trees: list[Path]) -> None:
    first = [serving(host) for host in hosts]
    assert deploy(hosts, trees[1]).rc == 0
    done = rollback(hosts, "-e", f"exotel_ws_release={first[0]}")
    assert done.rc == 0, done.stdout
    assert [serving(host) for host in hosts] == first
    again = rollback(hosts, "-e", f"exotel_ws_release={first[0]}")
    assert (again.rc, again.changed) == (0, 0), again.stdout
