"""The host that the on-call tests share: Debian 12, this tree deployed. A test leaves it as it found it."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree

# Two processes may share the tests, a file whole to one of them (``make lab``): each has a host of its own.
ONCALL = {
    "master": HostSpec("exo-t20", "bookworm", "198.18.65.120"),
    "gw0": HostSpec("exo-t20", "bookworm", "198.18.65.120"),
    "gw1": HostSpec("exo-t21", "bookworm", "198.18.65.121"),
}


LONGEST_FIRST = (
    "test_deploy",
    "test_doctor",
    "test_inventories",
    "test_refused",
    "test_fleet",
    "test_restart_reset",
    "test_port_clean",
)
"""Modules that take minutes. They begin first, or one process works on the last of them while the other has nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        return LONGEST_FIRST.index(item.path.stem) if item.path.stem in LONGEST_FIRST else len(LONGEST_FIRST)

    here = Path(__file__).parent
    items.sort(key=lambda item: turn(item) if item.path.is_relative_to(here) else -1)


class _Modules(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Give each module whole to one process; of the deploy's story, each Debian by itself."""

    def _split_scope(self, nodeid: str) -> str:
        module, _, test = nodeid.partition("::")
        suite = re.search(r"\[(bookworm|trixie)\b", test)
        return f"{module}-{suite[1]}" if suite and "test_deploy" in module else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _Modules(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def oncall_host(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[LabHost]:
    spec = ONCALL[worker_id]
    inventory = tmp_path_factory.mktemp(spec.name) / "hosts.yml"
    [host] = bring_up([spec], inventory)
    # Of a copy, so that it is one release even if somebody edits meanwhile.
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        done = play("deploy.yml", "-e", f"exotel_ws_source={copy_of_tree(Path(tree))}", inventory=inventory)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([spec], inventory)


@pytest.fixture
def oncall(oncall_host: LabHost) -> Iterator[LabHost]:
    """The shared host; afterwards every unit of the serving generation must be active and no unit failed."""
    yield oncall_host
    left = oncall_host.run("systemctl list-units --plain --no-legend --state=failed 'exotel-ws*'; exotelctl health --json >&2")
    assert left.stdout == "", "the test left failed units"
