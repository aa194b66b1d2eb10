"""A day of the edge under 100 calls: no call is lost, no new one refused but while a restart by mistake drains, all is echoed."""

import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.lab import releases
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.test_deploy import assert_nobody_noticed, wait_until
from tests.lab.test_edge import KEY, deploy, haproxy, settings, traffic

SPEC = HostSpec("exo-t40", "bookworm", "198.18.65.140")
NEW_KEY = "KEY:another-key-of-the-labs-edge-9876543210"
OUT = "/etc/exotel-edge/certificate.pem"


class Authority:
    """Authority of the lab, which issues certificates for one address. ``root`` is its own."""

    def __init__(self, directory: Path, address: str) -> None:
        self._directory = directory
        self._address = address
        self.root = directory / "root.pem"
        self._openssl(
            f"req -x509 {self._new_key('root')} -out root.pem -days 2 -subj /CN=lab -addext basicConstraints=critical,CA:TRUE"
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a new chain, with the root, and of its key."""
        self._openssl(f"req -new {self._new_key(name)} -out {name}.csr -subj /CN={name}")
        (self._directory / "names").write_text(f"subjectAltName=IP:{self._address}\n")
        self._openssl(
            f"x509 -req -in {name}.csr -CA root.pem -CAkey root.key -CAcreateserial -days 1 -extfile names -out {name}.crt"
        )
        chain = self._directory / f"{name}.pem"
        chain.write_text((self._directory / f"{name}.crt").read_text() + self.root.read_text())
        return chain, self._directory / f"{name}.key"

    def _new_key(self, name: str) -> str:
        return f"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key"

    def _openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *shlex.split(arguments)], cwd=self._directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def trees() -> Iterator[list[Path]]:
    """Copy the sources of two releases."""
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as directory:
        yield [releases.copy_of_tree(Path(directory) / "first"), releases.another_release(Path(directory) / "second")]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def serial(host: LabHost) -> str:
    """Return the serial number of the certificate that is served."""
    asked = f"openssl s_client -connect {host.address}:443 </dev/null | openssl x509 -noout -serial"
    return subprocess.run(asked, shell=True, check=True, capture_output=True, text=True).stdout


def test_a_day_under_100_calls_is_noticed_by_no_caller(host: LabHost, trees: list[Path], tmp_path: Path) -> None:
    authority = Authority(tmp_path, host.address)
    chain, key = authority.issue("first")
    own: dict[str, Any] = {"edge_certificate": "files", "edge_certificate_chain": str(chain), "edge_certificate_key": str(key)}
    done = deploy(host, trees[0], **own)
    assert done.rc == 0, done.stdout
    with traffic(host, ca=authority.root, held=100, arrivals=0) as held:
        with ExitStack() as callers:
            old_key = callers.enter_context(traffic(host, ca=authority.root, held=0, arrivals=3))

            # The certificate is renewed as by certbot's hook: file and running HAProxy, without a reload.
            before, worker = serial(host), host.run("pgrep -n haproxy").stdout
            chain, key = authority.issue("second")
            for file in (chain, key):
                host.run(f"sudo install -m 600 /dev/stdin /root/{file.name} <<'END'\n{file.read_text()}END")
            host.run(
                f"sudo /etc/exotel-edge/certificate install --chain /root/{chain.name} --key /root/{key.name} --out {OUT} "
                "--socket /run/haproxy/admin.sock"
            )
            assert serial(host) != before
            assert host.run("pgrep -n haproxy").stdout == worker
            own |= {"edge_certificate_chain": str(chain), "edge_certificate_key": str(key)}

            for _ in range(3):
                host.run("sudo systemctl reload haproxy")
                sleep(1)

            done = deploy(host, trees[0], **own, exotel_ws_credentials=[KEY, NEW_KEY])
            assert done.rc == 0, done.stdout
        with traffic(host, ca=authority.root, key=NEW_KEY, held=0, arrivals=3) as new_key:
            done = deploy(host, trees[0], **own, exotel_ws_credentials=[NEW_KEY])
            assert done.rc == 0, done.stdout
            done = deploy(host, trees[1], **own, exotel_ws_credentials=[NEW_KEY])
            assert done.rc == 0, done.stdout
            told = settings(host, trees[1], **own, exotel_ws_credentials=[NEW_KEY])
            done = play("playbooks/rollback.yml", "-e", told, inventory=host.inventory)
            assert done.rc == 0, done.stdout
            host.run("sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y install --reinstall haproxy", timeout=120)
        host.run("sudo systemctl restart --no-block haproxy")
        stopped = monotonic()
        wait_until("it drains", lambda: haproxy(host, "ActiveState") == "deactivating")
        sleep(5)
    wait_until("it is back", lambda: haproxy(host, "ActiveState") == "active")
    print(f"new calls were refused for {monotonic() - stopped:.1f} s, until the last call had ended")
    with traffic(host, ca=authority.root, key=NEW_KEY, held=2, arrivals=0) as after:
        sleep(1)
    assert_nobody_noticed(held[0], 100)
    assert_nobody_noticed(old_key[0], 30)
    assert_nobody_noticed(new_key[0], 60)
    assert_nobody_noticed(after[0], 2)
