"""A host in maintenance stays so across a reboot, says so, and returns on command; a disabled unit is found."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_deploy import PORT, assert_nobody_noticed, current, instances, traffic, wait_until

SPEC = HostSpec("exo-t29", "trixie", "198.18.65.129")


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as directory:
        yield copy_of_tree(Path(directory))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    done = deploy(host, tree)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def deploy(host: LabHost, tree: Path, *args: str) -> Play:
    return play("deploy.yml", *args, "-e", f"exotel_ws_source={tree}", inventory=host.inventory)


def ctl(host: LabHost, command: str) -> tuple[int, dict[str, Any]]:
    """Run an exotelctl command and return its exit code and JSON."""
    done = host.run(f"sudo exotelctl {command} --json", check=False, timeout=60)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def verdicts(host: LabHost) -> dict[str, str]:
    return {result["id"]: result["verdict"] for result in ctl(host, "doctor")[1]["results"]}


def failed(told: dict[str, str]) -> set[str]:
    """Return the checks that fail, except the one on calls of a few seconds, for these tests make no others."""
    return {check for check, verdict in told.items() if verdict == "fail"} - {"short-calls"}


def test_live_calls_end_by_themselves_and_it_is_no_fault(host: LabHost) -> None:
    with traffic(host, held=10, arrivals=0) as reports:
        code, said = ctl(host, "maintenance on --yes --reason 'disk swap'")
        assert (code, said["calls_live"], said["maintenance"]["reason"]) == (0, 10, "disk swap")
    assert_nobody_noticed(reports[0], 10)
    wait_until("the workers end after their calls", lambda: not instances(host, "deactivating"))
    code, status = ctl(host, "status")
    assert (code, status["problems"]) == (0, [])
    assert "disk swap" in status["maintenance"]
    told = verdicts(host)
    assert told["maintenance"] == "warn"
    assert failed(told) == set()


def test_it_stays_so_across_a_reboot(host: LabHost) -> None:
    host.reboot()
    assert host.run("systemctl list-units --plain --no-legend 'exotel-ws@*' exotel-ws.socket").stdout == ""
    assert host.run(f"ss -Hltn 'sport = :{PORT}'").stdout == ""
    assert "disk swap" in ctl(host, "status")[1]["maintenance"]


def test_nothing_brings_it_back_unasked(host: LabHost, tree: Path) -> None:
    refused = deploy(host, tree)
    assert refused.rc != 0
    said = " ".join(refused.stdout.split())
    assert "disk swap" in said
    assert "-e exotel_ws_accept=maintenance" in said
    for verb in ("restart --yes", "reset --yes"):
        done = host.run(f"sudo exotelctl {verb}", check=False)
        assert done.returncode == 3
        assert "exotelctl maintenance off" in done.stdout + done.stderr
    assert instances(host, "active") == []


def test_told_so_it_comes_back_with_what_served(host: LabHost) -> None:
    before = current(host)
    assert ctl(host, "maintenance off --yes")[0] == 0
    assert current(host) == before
    assert len(instances(host, "active")) == 2
    host.reboot()
    wait_until("it serves after a reboot", lambda: len(instances(host, "active")) == 2)
    assert failed(verdicts(host)) == set()


def test_while_calls_still_end_it_comes_back_beside_them(host: LabHost) -> None:
    with traffic(host, held=10, arrivals=0) as reports:
        assert ctl(host, "maintenance on --yes")[0] == 0
        assert ctl(host, "maintenance off --yes")[0] == 0
        assert len(instances(host, "active")) == 2
    assert_nobody_noticed(reports[0], 10)


def test_a_deploy_with_consent_brings_it_back(host: LabHost, tree: Path) -> None:
    code, said = ctl(host, "maintenance on --cut --yes")
    assert (code, said["calls_live"]) == (0, 0)
    wait_until("all is down", lambda: instances(host, "active") + instances(host, "deactivating") == [])
    done = deploy(host, tree, "-e", "exotel_ws_accept=maintenance")
    assert done.rc == 0, done.stdout
    assert ctl(host, "status")[1]["maintenance"] is None
    again = deploy(host, tree)
    assert (again.rc, again.changed) == (0, 0), again.stdout


def test_units_that_somebody_disabled_are_told_and_a_deploy_enables_them(host: LabHost, tree: Path) -> None:
    host.run("sudo systemctl disable exotel-ws.socket 2>&1")
    code, status = ctl(host, "status")
    assert code == 1
    assert "systemctl enable exotel-ws.socket" in status["problems"][0]
    assert verdicts(host)["boot"] == "fail"
    assert deploy(host, tree).rc == 0
    assert verdicts(host)["boot"] == "ok"


def test_a_move_of_the_port_is_told_where_callers_are_looked_after(host: LabHost, tree: Path) -> None:
    done = deploy(host, tree, "-e", "exotel_ws_port=9000", "-e", "exotel_ws_accept=port")
    assert done.rc == 0, done.stdout
    assert f"calls to port {PORT} are refused since" in " ".join(done.stdout.split())
    assert f"calls to port {PORT} are refused since" in ctl(host, "status")[1]["moved"]
    assert verdicts(host)["port-moved"] == "warn"
