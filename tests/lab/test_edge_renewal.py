"""`exotelctl doctor` on a host whose certificate an ACME authority issues and certbot renews: each fault by its cause."""

import json
from collections.abc import Iterator
from time import time

import pytest

from tests.lab.acme_authority import NAME, AcmeAuthority
from tests.lab.edge_saboteurs import KEY, Bench, EdgeSaboteur, healed
from tests.lab.labhost import HostSpec, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.silence import silent
from tests.lab.test_doctor import RED, doctor
from tests.lab.test_edge_doctor import assert_found, of, trust

HOST = HostSpec("exo-t48", "bookworm", "198.18.65.148")


@pytest.fixture(scope="module")
def renewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Deploy a host whose name and authority are known on it alone."""
    folder = tmp_path_factory.mktemp(HOST.name)
    [host] = bring_up([HOST], folder / "hosts.yml")
    host.run(f"echo {host.address} {NAME} | sudo tee -a /etc/hosts >/dev/null")
    acme = AcmeAuthority(host, folder)
    acme.start()
    trust(host, acme.root.read_text())
    tree = copy_of_tree(tmp_path_factory.mktemp("tree"))
    settings = json.dumps({"exotel_ws_source": str(tree), "exotel_ws_credentials": [KEY], **acme.settings})
    done = play("deploy.yml", "-e", settings, inventory=host.inventory, tools=acme.tools)
    assert done.rc == 0, done.stdout
    yield Bench(host, acme.api)
    host.disconnect()
    take_down([HOST], folder / "hosts.yml")


def test_a_clean_edge_that_renews_its_certificate_has_no_finding(renewed: Bench) -> None:
    report = doctor(renewed.host, since=time())
    assert report.told(*RED, "unknown") == {}
    assert {report.results[check]["verdict"] for check in ("acme-port", "certificate-renewal", "certificate-chain")} == {"ok"}


def test_who_holds_connections_to_port_80_keeps_no_authority_from_it(renewed: Bench) -> None:
    with silent(renewed.host.address, 80, 300) as still_open:
        renewed.host.run("sudo /etc/exotel-edge/acme rehearse", timeout=120)
        assert still_open() <= 20


@of("acme")
def test_saboteur_of_the_renewal(renewed: Bench, saboteur: EdgeSaboteur) -> None:
    begun = time()
    with saboteur.sabotage(renewed):
        report = doctor(renewed.host, since=begun)
    healed(renewed)
    assert_found(report, saboteur)
