"""The host that the on-call tests share: Debian 12, this tree deployed. A test leaves it as it found it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree

# Two processes may share the tests, a file whole to one of them (``make lab``): each has a host of its own.
ONCALL = {
    "master": HostSpec("exo-t20", "bookworm", "198.18.65.120"),
    "gw0": HostSpec("exo-t20", "bookworm", "198.18.65.120"),
    "gw1": HostSpec("exo-t21", "bookworm", "198.18.65.121"),
}


@pytest.fixture(scope="session")
def oncall_host(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[LabHost]:
    spec = ONCALL[worker_id]
    inventory = tmp_path_factory.mktemp(spec.name) / "hosts.yml"
    [host] = bring_up([spec], inventory)
    # Deploy a copy, so that it stays one release even if somebody edits meanwhile.
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        done = play("deploy.yml", "-e", f"exotel_ws_source={copy_of_tree(Path(tree))}", inventory=inventory)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([spec], inventory)


@pytest.fixture
def oncall(oncall_host: LabHost) -> Iterator[LabHost]:
    """Yield the shared host; afterwards every unit of the serving generation must be active and no unit failed."""
    yield oncall_host
    left = oncall_host.run("systemctl list-units --plain --no-legend --state=failed 'exotel-ws*'; exotelctl health --json >&2")
    assert left.stdout == "", "the test left failed units"
