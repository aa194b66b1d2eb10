"""Certificates of the edge, as one story for each Debian: of an authority, renewed under calls, and one of one's own.

On one of them, the doctor finds each fault of the renewal.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time

import pytest

from tests.lab.acme_authority import NAME, OTHER, AcmeAuthority
from tests.lab.authority import trust
from tests.lab.calling import calling
from tests.lab.edge_saboteurs import KEY, Bench, EdgeSaboteur, healed
from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.silence import silent
from tests.lab.test_deploy import assert_nobody_noticed, wait_until
from tests.lab.test_doctor import RED, doctor
from tests.lab.test_edge_doctor import assert_found, of
from tests.lab.traffic import Report

BOOKWORM = HostSpec("exo-t43", "bookworm", "198.18.65.143")
TRIXIE = HostSpec("exo-t44", "trixie", "198.18.65.144")
ELSEWHERE = "198.18.65.1"  # this machine, where nothing listens on port 80
REHEARSAL = "/var/lib/exotel-edge/rehearsal.json"


class Lab:
    """Host with an authority beside it."""

    def __init__(self, host: LabHost, tree: Path, folder: Path) -> None:
        self.host, self.tree, self.folder = host, tree, folder
        self.acme = AcmeAuthority(host, folder)

    def deploy(self, *args: str, **more: object) -> Play:
        settings = {
            "exotel_ws_source": str(self.tree),
            "exotel_ws_credentials": [KEY],
            **self.acme.settings,
            **more,
        }
        began = monotonic()
        done = play("deploy.yml", *args, "-e", json.dumps(settings), inventory=self.host.inventory, tools=self.acme.tools)
        print(f"{self.host.suite}: deploy {' '.join(args)} {more} took {monotonic() - began:.1f} s, changed={done.changed}")
        return done

    def worker(self) -> str:
        """Return the newest process of HAProxy, which takes new connections."""
        return self.host.run("pgrep -n haproxy").stdout.strip()

    @contextmanager
    def calls(self, trusted: Path) -> Iterator[list[Report]]:
        """Call the host by its name while the block runs. Afterwards the list holds the callers' report."""
        python = self.acme.tools / "python"
        with calling(f"wss://{KEY}@{NAME}", held=20, arrivals=5, most=120, ca_file=trusted, python=python) as reports:
            yield reports


@pytest.fixture(scope="module", params=[BOOKWORM, TRIXIE], ids=lambda spec: spec.suite)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    spec: HostSpec = request.param
    folder = tmp_path_factory.mktemp(spec.name)
    [host] = bring_up([spec], folder / "hosts.yml")
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        yield Lab(host, copy_of_tree(Path(tree)), folder)
    host.disconnect()
    take_down([spec], folder / "hosts.yml")


@pytest.fixture(scope="module")
def bench(lab: Lab) -> Bench:
    """Let the host know its name, and trust what the authority issues, as it does on the internet."""
    lab.host.run(f"echo {lab.host.address} {NAME} | sudo tee -a /etc/hosts >/dev/null")
    trust(lab.host, lab.acme.root.read_text())
    return Bench(lab.host, lab.acme.api)


# What the doctor says of a renewal does not depend on the Debian.
on_one = pytest.mark.parametrize("lab", [BOOKWORM], ids=lambda spec: spec.suite, indirect=True)
# The pebble of Debian 12 writes an address into the common name, which certbot takes for a domain.
on_newer = pytest.mark.parametrize("lab", [TRIXIE], ids=lambda spec: spec.suite, indirect=True)


def said(done: Play) -> str:
    return " ".join(done.stdout.split())


def test_an_authority_that_is_away_is_told_and_a_self_signed_certificate_serves(lab: Lab) -> None:
    done = lab.deploy()
    assert done.rc != 0
    away = f"goes on with the certificate it has: acme: no certificate for {NAME}: this host does not reach the authority"
    assert away in said(done), done.stdout
    own = lab.folder / "self-signed.pem"
    own.write_text(lab.host.run("sudo openssl x509 -in /etc/exotel-edge/certificate.pem").stdout)
    assert lab.acme.served(trusted=own)["subjectAltName"] == (("DNS", NAME),)


def test_a_name_that_leads_elsewhere_is_told(lab: Lab) -> None:
    lab.acme.start()
    lab.acme.names_lead_to(ELSEWHERE)
    done = lab.deploy()
    assert done.rc != 0
    assert f"no certificate for {NAME}: " in said(done), done.stdout
    assert "the authority does not reach port 80" in said(done), done.stdout


def test_an_authority_issues_and_calls_come_by_its_certificate(lab: Lab) -> None:
    lab.acme.names_lead_to(lab.host.address)
    done = lab.deploy()
    assert done.rc == 0, done.stdout
    assert lab.acme.served()["subjectAltName"] == (("DNS", NAME),)
    assert "Pebble" in str(lab.acme.served()["issuer"])
    with lab.calls(lab.acme.root) as reports:
        sleep(2)
    assert_nobody_noticed(reports[0], 25)


def test_again_nothing_changes_and_no_second_certificate_is_asked_for(lab: Lab) -> None:
    serial, worker = lab.acme.serial(), lab.worker()
    for args in ((), ("--check", "--diff")):
        done = lab.deploy(*args)
        assert (done.rc, done.changed) == (0, 0), done.stdout
    assert (lab.acme.serial(), lab.worker()) == (serial, worker)
    assert lab.host.run("sudo ls /etc/letsencrypt/archive/exotel-edge").stdout.split().count("cert1.pem") == 1
    for timer in ("certbot.timer", "exotel-edge-rehearsal.timer"):
        assert lab.host.run(f"systemctl is-enabled {timer}; systemctl is-active {timer}").stdout.split() == ["enabled", "active"]


def test_a_renewal_is_served_at_once_by_the_same_process_and_no_call_notices(lab: Lab) -> None:
    serial, worker = lab.acme.serial(), lab.worker()
    with lab.acme.certificate_of_somebody_else() as theirs, lab.calls(lab.acme.root) as reports:
        lab.acme.renew()
        assert lab.host.run(f"sudo ls /etc/letsencrypt/archive/{theirs}").stdout.split().count("cert2.pem") == 1
        renewed = lab.acme.serial()
        assert renewed != serial
        assert lab.worker() == worker
        lab.host.run("sudo systemctl reload haproxy")
        wait_until("a new process serves", lambda: lab.worker() != worker)
        assert lab.acme.serial() == renewed
    assert_nobody_noticed(reports[0], 25)


@on_one
def test_an_edge_that_renews_its_certificate_has_no_finding(bench: Bench) -> None:
    healed(bench)
    report = doctor(bench.host, since=time())
    assert report.told(*RED, "unknown") == {}
    assert {report.results[check]["verdict"] for check in ("acme-port", "certificate-renewal", "certificate-chain")} == {"ok"}


@on_one
def test_who_holds_connections_to_port_80_keeps_no_authority_from_it(bench: Bench) -> None:
    with silent(bench.host.address, 80, 300) as still_open:
        bench.host.run("sudo /etc/exotel-edge/acme rehearse", timeout=120)
        assert still_open() <= 20


@on_one
@of("acme")
def test_saboteur_of_the_renewal(bench: Bench, saboteur: EdgeSaboteur) -> None:
    begun = time()
    with saboteur.sabotage(bench):
        report = doctor(bench.host, since=begun)
    healed(bench)
    assert_found(report, saboteur)


def test_the_renewal_is_rehearsed_and_its_result_kept(lab: Lab) -> None:
    serial = lab.acme.serial()
    lab.host.run("sudo systemctl start exotel-edge-rehearsal.service", timeout=120)
    assert json.loads(lab.host.run(f"cat {REHEARSAL}").stdout)["ok"] is True
    lab.acme.names_lead_to(ELSEWHERE)
    failed = lab.host.run("sudo systemctl start exotel-edge-rehearsal.service", check=False, timeout=120)
    lab.acme.names_lead_to(lab.host.address)
    assert failed.returncode != 0
    kept = json.loads(lab.host.run(f"cat {REHEARSAL}").stdout)
    assert (kept["ok"], "does not reach port 80" in kept["reason"]) == (False, True), kept
    assert lab.acme.serial() == serial
    lab.host.run("sudo systemctl reset-failed exotel-edge-rehearsal.service")


def test_another_address_to_write_to_reaches_the_authority_without_another_certificate(lab: Lab) -> None:
    serial = lab.acme.serial()
    assert lab.acme.contact() == "none"
    changed = [(done.rc, done.changed) for done in (lab.deploy(edge_acme_email="ops@example.com") for _ in range(2))]
    assert changed == [(0, 1), (0, 0)]
    assert (lab.acme.contact(), lab.acme.serial()) == ("ops@example.com", serial)


def test_another_list_of_names_is_issued_for(lab: Lab) -> None:
    done = lab.deploy(edge_domain=[NAME, OTHER])
    assert done.rc == 0, done.stdout
    assert lab.acme.contact() == "none", "the address is taken back with its variable"
    for name in (NAME, OTHER):
        lab.acme.served(name)
    again = lab.deploy(edge_domain=[NAME, OTHER])
    assert (again.rc, again.changed) == (0, 0), again.stdout


def test_a_certificate_of_ones_own_comes_from_a_vault_and_leaves_no_key_behind(lab: Lab) -> None:
    one, intermediate = lab.acme.api.leaf(f"DNS:{NAME}"), lab.acme.api.intermediate.pem
    chain, key, secret = lab.folder / "chain.pem", lab.folder / "key.pem", lab.folder / "vault-password"
    key.write_text(one.key)
    secret.write_text("of the lab\n")
    vault = [str(Path(sys.executable).parent / "ansible-vault"), "encrypt", "--vault-password-file", str(secret), str(key)]
    subprocess.run(vault, check=True, capture_output=True)
    own: dict[str, object] = {
        "edge_certificate": "files",
        "edge_certificate_chain": "chain.pem",
        "edge_certificate_key": str(key),
    }
    serial = lab.acme.serial()

    chain.write_text(lab.acme.api.root.pem + intermediate + one.pem)
    refused = lab.deploy("--vault-password-file", str(secret), **own)
    assert refused.rc != 0
    right = f"the chain is out of order; the right one is: 'CN={NAME}', then 'CN=Test intermediate', then 'CN=Test root'"
    assert right in said(refused), refused.stdout
    assert lab.acme.serial() == serial

    chain.write_text(one.pem + intermediate + lab.acme.api.root.pem)
    done = lab.deploy("--vault-password-file", str(secret), "-vvv", "--diff", **own)
    assert done.rc == 0, done.stdout
    assert lab.acme.served(trusted=lab.acme.api.roots)["subjectAltName"] == (("DNS", NAME),)
    inner = one.key.splitlines()[2]
    assert inner not in done.stdout
    # By standard input, because sudo writes command lines into the journal.
    found = lab.host.run(f"echo {inner} | sudo grep -rlF -f - /etc /var /opt /root /home /tmp /run").stdout
    assert found == "/etc/exotel-edge/certificate.pem\n"
    assert lab.host.run("sudo stat -c '%a %U' /etc/exotel-edge/certificate.pem").stdout == "600 root\n"
    gone = "sudo find /etc /var/lib /opt -path '*exotel-edge*' \\( -name 'acme*' -o -name '*.timer' -o -path '*letsencrypt*' \\)"
    assert lab.host.run(gone).stdout == ""
    again = lab.deploy("--vault-password-file", str(secret), **own)
    assert (again.rc, again.changed) == (0, 0), again.stdout


@on_newer
def test_an_address_without_a_name_gets_a_certificate_that_is_renewed(lab: Lab) -> None:
    address, conf = lab.host.address, "/etc/exotel-edge/letsencrypt/renewal/exotel-edge.conf"
    for again in (False, True):
        done = lab.deploy(edge_domain=[address])
        assert (done.rc, done.changed == 0) == (0, again), done.stdout
    issued = lab.acme.served(address)
    assert issued["subjectAltName"] == (("IP Address", address),)
    lab.host.run(f"sudo sed -i '/^version/a renew_before_expiry = 9999 days' {conf}")
    lab.host.run("sudo systemctl start exotel-edge-renewal.service", timeout=120)
    assert lab.acme.served(address)["serialNumber"] != issued["serialNumber"]
    lab.host.run("sudo systemctl start exotel-edge-rehearsal.service", timeout=120)
    assert json.loads(lab.host.run(f"cat {REHEARSAL}").stdout)["ok"] is True
