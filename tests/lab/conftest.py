"""The host that the on-call tests share: Debian 12, this tree deployed. A test leaves it as it found it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree

ONCALL = HostSpec("exo-t20", "bookworm", "198.18.65.120")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes share the tests (``make lab``); those of one host stay in one, in their order.

    A host is a file's own, one of the suites that a file goes through, or the one that the on-call tests share.
    """
    for item in items:
        assert isinstance(item, pytest.Function)
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        suite = next((value.suite for value in parameters if isinstance(value, HostSpec)), "")
        host = ONCALL.name if "oncall_host" in item.fixturenames else f"{item.path.stem} {suite}"
        item.add_marker(pytest.mark.xdist_group(host))


@pytest.fixture(scope="session")
def oncall_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(ONCALL.name) / "hosts.yml"
    [host] = bring_up([ONCALL], inventory)
    # Of a copy, so that it is one release even if somebody edits meanwhile.
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        done = play("deploy.yml", "-e", f"exotel_ws_source={copy_of_tree(Path(tree))}", inventory=inventory)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([ONCALL], inventory)


@pytest.fixture
def oncall(oncall_host: LabHost) -> Iterator[LabHost]:
    """The shared host; afterwards every unit of the serving generation must be active and no unit failed."""
    yield oncall_host
    left = oncall_host.run("systemctl list-units --plain --no-legend --state=failed 'exotel-ws*'; exotelctl health --json >&2")
    assert left.stdout == "", "the test left failed units"
