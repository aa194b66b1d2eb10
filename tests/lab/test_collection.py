"""The built collection deploys to a host from an empty directory, and goes back, without a clone beside it."""

from __future__ import annotations

import pytest

from tests.lab.collection import Installed, build, install
from tests.lab.labhost import REPO, LabHost
from tests.lab.releases import another_release


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the collection of another release, which has to be built from the installed source. Locked wheels are shared."""
    tree = another_release(tmp_path_factory.mktemp("another"))
    installed = install(build(tree, tmp_path_factory.mktemp("built")), tmp_path_factory.mktemp("installed"))
    (installed.tree / ".cache").mkdir()
    (installed.tree / ".cache/wheels").symlink_to(REPO / ".cache/wheels")
    return installed


def serving(host: LabHost) -> str:
    """Return the path of the release that serves on the host."""
    return host.run("readlink -f /etc/exotel-ws/current/release").stdout.strip()


@pytest.mark.timeout(600)
def test_it_deploys_and_goes_back_by_its_full_names(installed: Installed, oncall: LabHost) -> None:
    before = serving(oncall)
    deployed = installed.play("exotel.voicebot.deploy", "-i", oncall.inventory, timeout=280)
    try:
        assert deployed.returncode == 0, deployed.stdout
        assert "Paste this into the Voicebot applet" in deployed.stdout
        assert serving(oncall) != before
        assert list((installed.tree / ".cache/releases").glob("*.tar"))
        again = installed.play("exotel.voicebot.deploy", "-i", oncall.inventory, timeout=280)
        assert "changed=0 " in again.stdout, again.stdout
    finally:
        back = installed.play("exotel.voicebot.rollback", "-i", oncall.inventory, timeout=280)
    assert back.returncode == 0, back.stdout
    assert serving(oncall) == before
