"""`exotelctl doctor` and `exotelctl edge` on a host with an edge: no finding where nothing is wrong, each fault by its cause."""

import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from tests.lab import callers
from tests.lab.authority import issue, trust
from tests.lab.edge_saboteurs import KEY, SABOTEURS, Bench, EdgeSaboteur, healed, unknown
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_doctor import EXOTELCTL, RED, Report, doctor
from tests.unit.edge.authority import Authority

HOST = HostSpec("exo-t47", "trixie", "198.18.65.147")
NEW_KEY = "exotel:another-key-of-the-labs-edge-456789"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Deploy a host with an edge whose certificate is of an authority that the host and this process trust."""
    at = tmp_path_factory.mktemp(HOST.name)
    authority = Authority(at / "authority")
    inventory = at / "hosts.yml"
    [host] = bring_up([HOST], inventory)
    trust(host, authority.root.pem)
    deploy(host, authority, at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority.roots))
        yield Bench(host, authority)
    host.disconnect()
    take_down([HOST], inventory)


def deploy(host: LabHost, authority: Authority, at: Path, *keys: str) -> None:
    """Deploy with these keys, by default `KEY`, and a new certificate."""
    pair = issue(authority, [host.address])
    (at / "chain.pem").write_text(pair.chain)
    (at / "key.pem").write_text(pair.key)
    settings: dict[str, Any] = {
        "exotel_ws_edge": True,
        "edge_certificate": "files",
        "edge_certificate_chain": str(at / "chain.pem"),
        "edge_certificate_key": str(at / "key.pem"),
        "edge_domain": [host.address],
        "exotel_ws_credentials": list(keys or (KEY,)),
        "exotel_ws_settings": {"drain": {"grace_s": 0.1}},
    }
    (at / "settings.json").write_text(json.dumps(settings))
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        source = f"exotel_ws_source={copy_of_tree(Path(tree))}"
        done = play("deploy.yml", "-e", f"@{at / 'settings.json'}", "-e", source, inventory=host.inventory)
    assert done.rc == 0, done.stdout


def of(certificate: str) -> pytest.MarkDecorator:
    """Parametrise with the saboteurs for a host with this kind of certificate."""
    chosen = [saboteur for saboteur in SABOTEURS if saboteur.certificate == certificate]
    return pytest.mark.parametrize("saboteur", chosen, ids=lambda saboteur: f"{saboteur.check}-by-{saboteur.name}")


def assert_found(report: Report, saboteur: EdgeSaboteur) -> None:
    """Assert that the fault's check is red, that no unrelated one is, and that each unknown one has its explanation."""
    red = report.told(*RED)
    assert saboteur.check in red, report.results[saboteur.check]
    assert red.keys() <= {saboteur.check, *saboteur.also}, red
    assert report.blocked_by <= {saboteur.check, *saboteur.also}, report.blocked_by
    assert report.told("unknown") == {}
    assert KEY.partition(":")[2] not in json.dumps(report.results)


def looks_at_the_edge(report: Report) -> list[str]:
    """Return the commands of red checks that show lines of the edge."""
    remedies = filter(None, (report.results[check]["remedy"] for check in report.those(*RED)))
    return [command for remedy in remedies for command in remedy["safe_commands"] if command.startswith("exotelctl logs --edge")]


def edge(bench: Bench, *arguments: str) -> tuple[int, str]:
    """Ask `exotelctl edge` on the host."""
    done = bench.host.run(f"sudo exotelctl edge {' '.join(arguments)}", check=False)
    return done.returncode, done.stdout


# -- nothing is wrong --------------------------------------------------------------------------------------------------


def test_a_clean_edge_has_no_finding(bench: Bench) -> None:
    begun = time()
    callers.good(bench.url)
    report = doctor(bench.host, since=begun)
    assert report.told(*RED, "unknown") == {}
    assert report.code == 0
    assert report.results["edge-down"]["verdict"] == report.results["certificate-chain"]["verdict"] == "ok"
    code, said = edge(bench)
    assert (code, bench.host.address in said) == (0, True), said


def test_from_outside_a_clean_edge_is_called_by_wss(bench: Bench, tmp_path: Path) -> None:
    settings = bench.authority.folder.parent / "settings.json"
    done = play("playbooks/doctor.yml", "-e", f"@{settings}", inventory=bench.host.inventory)
    assert done.rc == 0, done.stdout
    assert f"a call through wss://{bench.host.address}" in done.stdout


def test_who_is_not_root_is_told_so(bench: Bench) -> None:
    done = bench.host.run("exotelctl edge", check=False)
    assert (done.returncode, "sudo exotelctl edge" in done.stderr) == (3, True)
    report = doctor(bench.host, since=time(), sudo="")
    assert report.told(*RED) == {}
    assert {"edge-backend", "certificate-loaded", "edge-put-out"} <= report.those("unknown")


def test_the_edges_refusals_are_in_the_logs_and_its_good_connections_are_not(bench: Bench) -> None:
    begun = time()
    callers.good(bench.url, seconds=0.2)
    callers.refused(f"wss://{bench.host.address}")
    short = bench.host.run(f"sudo exotelctl logs --since @{begun:.6f}").stdout
    whole = bench.host.run(f"sudo exotelctl logs --edge --since @{begun:.6f}").stdout
    assert "reason=key_missing" in short
    assert "reason=-" not in short
    assert "reason=-" in whole
    assert "Connection closed" in short
    assert "Connection closed" not in whole


# -- one fault at a time -----------------------------------------------------------------------------------------------


@of("files")
def test_saboteur_of_the_edge(bench: Bench, saboteur: EdgeSaboteur) -> None:
    begun = time()
    with saboteur.sabotage(bench):
        report = doctor(bench.host, since=begun)
    healed(bench)
    assert_found(report, saboteur)
    for command in looks_at_the_edge(report):
        assert "edge frontend=" in bench.host.run(f"sudo {command}").stdout, command


def test_a_stopped_edge_is_named_by_every_look_and_by_a_call(bench: Bench) -> None:
    """The server itself serves, so that a look at it alone tells nothing of the edge."""
    settings = bench.authority.folder.parent / "settings.json"
    says = "haproxy.service is inactive"
    bench.host.run("sudo systemctl stop haproxy")
    try:
        looks = [bench.host.run(f"sudo exotelctl {verb}", check=False) for verb in ("status", "health")]
        status, verify = (
            play(f"playbooks/{name}.yml", "-e", f"@{settings}", inventory=bench.host.inventory) for name in ("status", "verify")
        )
        called = subprocess.run([EXOTELCTL, "call", bench.url], capture_output=True, text=True, timeout=60, check=False)
    finally:
        bench.host.run("sudo systemctl start haproxy")
    healed(bench)
    for look in looks:
        assert (look.returncode, says in look.stdout) == (1, True), look.stdout
    assert (status.rc, f"❌ {says}" in status.stdout) == (0, True), status.stdout
    assert verify.rc != 0
    said = " ".join(verify.stdout.split())
    assert f"refused the connection: nothing listens on that port: {says}" in said, verify.stdout
    assert "systemctl start haproxy.service" in said, verify.stdout
    assert (called.returncode, "systemctl status haproxy" in called.stdout) == (1, True), called.stdout


def test_a_source_that_was_put_out_is_let_in_by_the_command(bench: Bench) -> None:
    wrong = bench.url.replace(KEY, "exotel:a-key-that-nobody-knows-9876543210")
    with unknown(bench):
        for _ in range(12):
            callers.refused(wrong)
        with pytest.raises(OSError):  # noqa: PT011 (reset or closed, as the kernel likes it)
            _hello(bench)
        mine = json.loads(edge(bench, "--json")[1])["put_out"][0]["address"]
        code, said = edge(bench, "admit", mine)
        assert (code, "may come again" in said) == (0, True), said
        callers.good(bench.url, seconds=0.2)


def _hello(bench: Bench) -> None:
    """Connect, and wait for what HAProxy does with it."""
    with socket.create_connection((bench.host.address, 443), timeout=5) as client:
        client.sendall(b"\x16")
        if not client.recv(1):
            raise ConnectionResetError


def test_a_key_that_was_retired_is_told_from_a_wrong_one(bench: Bench) -> None:
    """A key that was retired is told from a wrong one: its source made good calls, and a key went since."""
    callers.good(bench.url)
    at = bench.authority.folder.parent
    try:
        deploy(bench.host, bench.authority, at, NEW_KEY)
        begun = time()
        callers.refused(bench.url)
        report = doctor(bench.host, since=begun)
    finally:
        deploy(bench.host, bench.authority, at)
    assert report.told(*RED).keys() == {"key-retired"}, report.told(*RED)
    [command] = looks_at_the_edge(report)
    assert "reason=key_wrong" in bench.host.run(f"sudo {command}").stdout
