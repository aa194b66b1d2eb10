"""A day of the edge under 100 calls: no call is lost, no new one refused but while a restart by mistake drains, all is echoed.

It is told on Debian 12, or on another: ``EDGE_STORY_SUITE=trixie pytest -rP tests/lab/test_edge_story.py --timeout 900``.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.lab import releases
from tests.lab.acme_authority import NAME, AcmeAuthority
from tests.lab.calling import calling
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.test_deploy import assert_nobody_noticed, wait_until
from tests.lab.test_edge import UPGRADE, answer, haproxy
from tests.lab.traffic import Report

SPEC = {
    "bookworm": HostSpec("exo-t52", "bookworm", "198.18.65.152"),
    "trixie": HostSpec("exo-t53", "trixie", "198.18.65.153"),
}[os.environ.get("EDGE_STORY_SUITE", "bookworm")]
OLD_KEY = "KEY:a-key-of-the-labs-edge-0123456789"
NEW_KEY = "KEY:another-key-of-the-labs-edge-9876543210"


class Edge:
    """Edge of the story: its certificate is of an authority beside it, its server of a release of the two in ``trees``."""

    def __init__(self, host: LabHost, folder: Path) -> None:
        self.host = host
        self.acme = AcmeAuthority(host, folder)
        self.trees = [releases.copy_of_tree(folder / "first"), releases.another_release(folder / "second")]

    def play(self, playbook: str, tree: Path, *keys: str) -> None:
        """Run a playbook that changes something, with these keys in the inventory."""
        settings = {**self.acme.settings, "exotel_ws_source": str(tree), "exotel_ws_credentials": keys}
        done = play(playbook, "-e", json.dumps(settings), inventory=self.host.inventory, tools=self.acme.tools)
        assert (done.rc, done.changed > 0) == (0, True), done.stdout

    def calls(self, key: str, *, held: int = 0, arrivals: float = 0) -> AbstractContextManager[list[Report]]:
        """Call with a key while the block runs."""
        python, root = self.acme.tools / "python", self.acme.root
        return calling(f"wss://{key}@{NAME}", held=held, arrivals=arrivals, most=900, ca_file=root, python=python)

    def worker(self) -> str:
        """Return the newest process of HAProxy, which takes new connections."""
        return self.host.run("pgrep -n haproxy").stdout.strip()

    def release(self) -> str:
        """Return where the serving release is."""
        return self.host.run("readlink /opt/exotel-ws/current").stdout

    def reload(self) -> None:
        worker = self.worker()
        self.host.run("sudo systemctl reload haproxy")
        wait_until("a new process serves", lambda: self.worker() != worker)

    def serial_on_disk(self) -> str:
        shown = self.host.run("sudo openssl x509 -in /etc/exotel-edge/certificate.pem -noout -serial").stdout
        return shown.strip().removeprefix("serial=")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print how long a step of the story took."""
    begun = monotonic()
    yield
    print(f"{SPEC.suite}: {what}: {monotonic() - begun:.1f} s")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp(SPEC.name)
    [host] = bring_up([SPEC], folder / "hosts.yml")
    with tempfile.TemporaryDirectory(prefix="exotel-lab-story-") as directory:
        yield Edge(host, Path(directory))
    host.disconnect()
    take_down([SPEC], host.inventory)


def test_a_day_under_100_calls_is_noticed_by_no_caller(edge: Edge) -> None:
    host, (first, second) = edge.host, edge.trees
    edge.acme.start()
    with step("first deploy"):
        edge.play("deploy.yml", first, OLD_KEY)
    begun = monotonic()
    with edge.calls(OLD_KEY, held=100) as held:
        with edge.calls(OLD_KEY, arrivals=3) as by_old_key:
            issued, worker = edge.acme.serial(), edge.worker()
            assert edge.serial_on_disk() == issued
            with step("forced renewal"):
                edge.acme.renew()
            renewed = edge.acme.serial()
            assert edge.serial_on_disk() == renewed != issued
            assert edge.worker() == worker, "it is served without a reload"
            with step("three reloads"):
                for _ in range(3):
                    edge.reload()
            with step("deploy that adds a key"):
                edge.play("deploy.yml", first, OLD_KEY, NEW_KEY)
        with edge.calls(NEW_KEY, arrivals=3) as by_new_key:
            release = edge.release()
            with step("deploy of another release"):
                edge.play("deploy.yml", second, OLD_KEY, NEW_KEY)
            with step("deploy that retires the old key"):
                edge.play("deploy.yml", second, NEW_KEY)
            with step("rollback"):
                edge.play("playbooks/rollback.yml", second, NEW_KEY)
            assert edge.release() == release
            assert answer(host, f"/ -u{OLD_KEY} {UPGRADE}") == "401", "a retired key stays retired"
            with step("haproxy reinstalled"):
                done = host.run("sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y install --reinstall haproxy", timeout=120)
                assert "Setting up haproxy" in done.stdout, done.stdout
        host.run("sudo systemctl restart --no-block haproxy")
        stopped = monotonic()
        wait_until("it drains", lambda: haproxy(host, "ActiveState") == "deactivating")
        sleep(5)
    wait_until("it is back", lambda: haproxy(host, "ActiveState") == "active")
    print(f"{SPEC.suite}: restart by mistake: new calls refused for {monotonic() - stopped:.1f} s, until the last call had ended")
    with edge.calls(NEW_KEY, held=2) as after:
        sleep(1)
    reports = {"held": held[0], "by the old key": by_old_key[0], "by the new key": by_new_key[0], "after": after[0]}
    for whose, report in reports.items():
        print(f"{SPEC.suite}: calls {whose}: {report}")
    calls, refused, dropped, sent, echoed, wrong = (
        sum(getattr(report, figure) for report in reports.values())
        for figure in ("calls", "refused", "dropped", "frames_sent", "frames_echoed", "wrong")
    )
    print(
        f"{SPEC.suite}: {monotonic() - begun:.0f} s, {calls} calls, {refused} refused, {dropped} lost, "
        f"{echoed} of {sent} frames echoed, {wrong} wrong"
    )
    for report, least in zip(reports.values(), (100, 30, 60, 2), strict=True):
        assert_nobody_noticed(report, least)
    assert held[0].certificates == {issued: 100}
    assert list(by_old_key[0].certificates) == [issued, renewed], "new calls got the new certificate"
    assert list(by_new_key[0].certificates) == list(after[0].certificates) == [renewed]
