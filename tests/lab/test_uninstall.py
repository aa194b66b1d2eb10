"""An uninstall during a call leaves a real host as it was before the deploy."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import callers
from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_deploy import wait_until

SPEC = HostSpec("exo-t34", "bookworm", "198.18.65.134")
VERB = "playbooks/uninstall.yml"
# All files except those that any login or journal line changes; the running units; the known users.
LISTING = """
sudo find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /home -o -path /tmp -o -path /var/log \\) -prune \\
    -o -printf '%p %y %m %u %g\\n' | grep -v '^/var/lib/systemd/\\|^/etc/\\(passwd\\|group\\|shadow\\|gshadow\\)-' | sort
sudo find /run -path '*exotel*'; getent passwd; getent group; systemctl list-unit-files --plain --no-legend | grep exotel
systemctl list-units --all --plain --no-legend --type=service,socket,mount | grep exotel
sudo ls /tmp /var/tmp /var/log/journal /run/log/journal | grep exotel
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def uninstall(host: LabHost, *arguments: str) -> Play:
    return play(VERB, *arguments, inventory=host.inventory)


def test_it_takes_off_what_a_deploy_has_put_there_and_nothing_else(host: LabHost) -> None:
    before = host.run(LISTING, check=False, timeout=60).stdout
    bare = uninstall(host, "--check", "--diff")
    assert (bare.rc, bare.changed) == (0, 0), bare.stdout
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        done = play("deploy.yml", "-e", f"exotel_ws_source={copy_of_tree(Path(tree))}", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    with ThreadPoolExecutor() as pool:
        call = pool.submit(callers.good, f"ws://{host.address}:8765", seconds=60)
        wait_until("a call is on", lambda: '"calls_live": 1' in host.run("sudo exotelctl status --json", check=False).stdout)
        looked = uninstall(host, "--check", "--diff")
        assert (looked.rc, looked.changed) == (0, 1), looked.stdout
        refused = uninstall(host)
        assert refused.rc != 0
        for said in (
            "cuts 1 live calls",
            "/etc/exotel-ws",
            "/usr/local/bin/exotelctl",
            "the user and the group",
            "uninstall_yes=true",
        ):
            assert said in refused.stdout, refused.stdout
        assert host.run("systemctl is-active exotel-ws.socket").stdout == "active\n"
        done = uninstall(host, "-e", "uninstall_yes=true", "-e", "uninstall_drain_s=2")
        call.result(timeout=30)
    assert done.rc == 0, done.stdout
    assert "gcp_firewall_state=absent" in done.stdout
    after = host.run(LISTING, check=False, timeout=60).stdout
    assert sorted(set(after.splitlines()) ^ set(before.splitlines())) == []
    again = uninstall(host, "-e", "uninstall_yes=true")
    assert (again.rc, again.changed) == (0, 0), again.stdout
