"""Two edges, one of each Debian: their TLS as a scanner sees it, their keys that nobody sees, and each behind a balancer.

The stories follow one another on the same hosts. A scanner takes more connections than a stranger may open, and the keys have
made this machine a known source.
"""

import ipaddress
import json
import re
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.lab import key_story, scanner
from tests.lab.balancer import asked, balancing, clients, lines, live_calls, now
from tests.lab.calling import calling
from tests.lab.key_story import Fleet, Story
from tests.lab.labhost import HostSpec, LabHost, bring_up, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_deploy import assert_nobody_noticed
from tests.lab.test_edge import ask_haproxy
from tests.unit.edge.authority import issue

SPECS = [HostSpec("exo-t56", "bookworm", "198.18.65.156"), HostSpec("exo-t57", "trixie", "198.18.65.157")]
SUITES = [spec.suite for spec in SPECS]
THIS_MACHINE = "198.18.65.1"
NAME = "voice.example.com"
OWN_KEY = "private.pem"
OWN_PLACES = re.compile(r"/etc/exotel-edge/(keys/[a-z]+\.lst|certificate\.pem)|/etc/exotel-ws/.*|/run/credentials/.*")
"""Files of a host that hold a key because they are its place."""


@dataclass(frozen=True)
class Chain:
    """Chain of an authority of one's own, with the identifiers of keys that strict clients want; ``roots`` is a file."""

    roots: Path
    text: str
    key: str


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("authority")
    issuer = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
    root = issue(folder, "/CN=Test root", issuer, days=3650)
    intermediate = issue(folder, "/CN=Test intermediate", f"{issuer}authorityKeyIdentifier=keyid\n", by=root, days=1000)
    of_a_server = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
    names = ",".join([f"DNS:{NAME}", *(f"IP:{spec.address}" for spec in SPECS)])
    names = f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n"
    leaf = issue(folder, f"/CN={NAME}", of_a_server + names, by=intermediate)
    (folder / "roots.pem").write_text(root.pem)
    return Chain(folder / "roots.pem", leaf.pem + intermediate.pem + root.pem, leaf.key)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LabHost]]:
    inventory = tmp_path_factory.mktemp("edge-shows") / "hosts.yml"
    yield (hosts := bring_up(SPECS, inventory))
    for host in hosts:
        host.disconnect()
    take_down(SPECS, inventory)


@pytest.fixture(scope="module")
def fleet(hosts: list[LabHost], chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Return the hosts after the story of the keys; they serve the `chain`."""
    folder = hosts[0].inventory.parent
    own = key_story.OwnCertificate(folder / "chain.pem", folder / OWN_KEY)
    own.chain.write_text(chain.text)
    own.key.touch(mode=0o600)
    own.key.write_text(chain.key)
    fleet = Fleet(hosts, copy_of_tree(tmp_path_factory.mktemp("tree")))
    key_story.play_the_story(fleet, own)
    return fleet


@pytest.fixture(scope="module")
def story(fleet: Fleet) -> Story:
    return fleet.story


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> scanner.Scanner:
    return scanner.install(tmp_path_factory.mktemp("scanner"))


@pytest.fixture(scope="module", params=SUITES)
def host(request: pytest.FixtureRequest, fleet: Fleet) -> LabHost:
    """Return each host, after the story of the keys."""
    return next(host for host in fleet.hosts if host.suite == request.param)


@pytest.fixture(scope="module")
def seen(host: LabHost, chain: Chain, installed: scanner.Scanner) -> Mapping[str, Any]:
    """Return what the scanner found."""
    return installed.scan(NAME, host.address, chain.roots)


def suites(seen: Mapping[str, Any], version: str) -> set[str]:
    return {accepted["cipher_suite"]["name"] for accepted in seen[f"{version}_cipher_suites"]["accepted_cipher_suites"]}


def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(seen: Mapping[str, Any]) -> None:
    versions = [name.removesuffix("_cipher_suites") for name in seen if name.endswith("_cipher_suites")]
    assert len(versions) == 6
    assert {version for version in versions if suites(seen, version)} == {"tls_1_2", "tls_1_3"}


def test_every_suite_has_forward_secrecy_and_an_authenticated_cipher(seen: Mapping[str, Any]) -> None:
    found = suites(seen, "tls_1_2")
    assert found
    assert all(suite.startswith("TLS_ECDHE_ECDSA_WITH_") and ("_GCM_" in suite or "_POLY1305_" in suite) for suite in found), (
        found
    )
    assert suites(seen, "tls_1_3") == {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


def test_nothing_that_has_a_name_among_attacks_works(seen: Mapping[str, Any]) -> None:
    assert not seen["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert seen["session_renegotiation"]["client_renegotiations_success_count"] == 0
    assert not seen["tls_compression"]["supports_compression"]
    assert not seen["tls_1_3_early_data"]["supports_early_data"]
    assert not seen["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not seen["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert seen["robot"]["robot_result"].startswith("NOT_VULNERABLE")


def test_the_chain_is_whole_in_order_and_for_the_name(seen: Mapping[str, Any], chain: Chain) -> None:
    [served] = seen["certificate_info"]["certificate_deployments"]
    subjects = [one["subject"]["rfc4514_string"] for one in served["received_certificate_chain"]]
    assert subjects == [f"CN={NAME}", "CN=Test intermediate", "CN=Test root"]
    assert served["received_chain_has_valid_order"]
    ours = [one for one in served["path_validation_results"] if one["trust_store"]["path"] == str(chain.roots)]
    assert [one["was_validation_successful"] for one in ours] == [True], ours
    assert served["ocsp_response"] is None
    assert not served["leaf_certificate_has_must_staple_extension"]


def test_the_key_is_on_p_256_and_so_are_the_curves(seen: Mapping[str, Any]) -> None:
    [served] = seen["certificate_info"]["certificate_deployments"]
    key = served["received_certificate_chain"][0]["public_key"]
    assert (key["ec_curve_name"], key["key_size"]) == ("secp256r1", 256)
    curves = {curve["name"] for curve in seen["elliptic_curves"]["supported_curves"]}
    assert {"X25519", "secp256r1"} <= curves <= {"X25519", "secp256r1", "secp384r1"}


def test_another_name_is_not_vouched_for(host: LabHost, chain: Chain) -> None:
    """A client that asks for a name that the certificate has not is told by its own check, and the edge does not invent one."""
    ask = ["openssl", "s_client", "-connect", f"{host.address}:443", "-CAfile", str(chain.roots), "-verify_return_error"]
    told = {
        name: subprocess.run(
            [*ask, "-servername", name, "-verify_hostname", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        ).returncode
        for name in (NAME, "other.example.com")
    }
    assert told[NAME] == 0
    assert told["other.example.com"] != 0


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_is_judged_where_it_is_shown(story: Story, suite: str) -> None:
    """By the edge, but one in the start message by the server."""
    by_the_edge = dict.fromkeys(("basic", "path", "query"), "401 This key is not known")
    good, refused = dict.fromkeys(key_story.PLACES, "echo"), {**by_the_edge, "start": "1008"}
    first, current, wrong, retired = story.calls[suite]
    assert (first, current, wrong, retired) == (good, good, refused, refused)


@pytest.mark.parametrize("place", [*key_story.PLAYED, *(f"{suite}: {name}" for suite in SUITES for name in key_story.ASKED)])
def test_no_key_is_in(story: Story, place: str) -> None:
    assert story.leaks(place) == 0
    _, _, tool = place.rpartition(": ")
    if tool in key_story.ASKED:
        assert key_story.ASKED[tool][1].encode() in story.texts[place], "it was answered"


def test_no_key_is_in_the_words_or_the_environment_of_a_process(story: Story) -> None:
    assert story.processes == set()


@pytest.mark.parametrize("suite", SUITES)
def test_no_key_is_in_a_file_but_in_its_own_place_for_its_owner_alone(story: Story, suite: str) -> None:
    files = story.files[suite]
    assert {path for path in files if not OWN_PLACES.fullmatch(path)} == set()
    # systemd hands a worker its keys in a folder that only root and the worker's user may enter; that of Debian 13 by an ACL,
    # whose mask stands where a file's mode has its group.
    others = {path: about for path, about in files.items() if not path.startswith("/run/credentials/")}
    assert {path: about for path, about in others.items() if about["uid"] or int(about["mode"], 8) & 0o077} == {}
    assert {path for path, about in files.items() if int(about["mode"], 8) & 0o007} == set()
    assert any(path.startswith("/etc/exotel-edge/keys/") for path in files), "the search finds what is there"


def test_no_playbook_leaves_a_key_on_the_controller(story: Story) -> None:
    assert {Path(path).name for path in story.files["here"] if not path.startswith("/proc/")} == {OWN_KEY}


# -- behind a balancer -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Balanced:
    """Edge, the host whose balancer is in front of it, and the balancer's address and port."""

    edge: LabHost
    beside: LabHost
    entrance: str


@pytest.fixture(scope="module")
def behind(fleet: Fleet) -> Fleet:
    """Return the hosts deployed anew: each has a balancer on the other. An edge shows its metrics to its own host."""
    folder = fleet.inventory.parent / "host_vars"
    folder.mkdir()
    for host in fleet.hosts:
        others = [other.address for other in fleet.hosts if other != host]
        said = {"exotel_ws_proxies": others, "exotel_ws_proxy_protocol": True, "exotel_ws_metrics_sources": [host.address]}
        (folder / f"{host.name}.yml").write_text(json.dumps(said))
    fleet.deploy("deploy behind balancers")
    return fleet


@pytest.fixture(scope="module")
def balanced(host: LabHost, behind: Fleet) -> Iterator[Balanced]:
    [beside] = [other for other in behind.hosts if other != host]
    with balancing(beside, host) as entrance:
        yield Balanced(host, beside, entrance)


def test_a_call_by_a_balancer_is_told_as_its_callers(balanced: Balanced, fleet: Fleet, chain: Chain) -> None:
    edge, since = balanced.edge, now(balanced.edge)
    url = f"wss://{fleet.current}@{balanced.entrance}"
    with calling(url, held=2, arrivals=2, most=120, ca_file=chain.roots) as reports:
        remotes = {call["remote"] for call in live_calls(edge)}
        sleep(2)
    assert_nobody_noticed(reports[0], 4)
    assert remotes == {THIS_MACHINE}
    assert asked(balanced.entrance, "/", key=fleet.current, forwarded="203.0.113.9") == 101
    # The balancer's own health checks end in the handshake.
    assert THIS_MACHINE in clients(lines(edge, since))


def test_who_may_read_the_metrics_is_told_by_the_callers_address(balanced: Balanced) -> None:
    assert asked(balanced.entrance, "/metrics") == 404
    assert asked(balanced.entrance, "/metrics", on=balanced.edge) == 200


def test_wrong_keys_by_a_balancer_put_their_caller_out_and_nobody_else(balanced: Balanced, fleet: Fleet) -> None:
    edge, entrance = balanced.edge, balanced.entrance
    for table in ("known", "strangers"):
        ask_haproxy(edge, f"clear table {table}")
    assert [asked(entrance, "/", key=key_story.WRONG) for _ in range(10)] == [401] * 10
    assert asked(entrance, "/", key=fleet.current) == 0
    assert asked(f"{edge.address}:443", "/health") == 0, "it is out by any way"
    assert asked(entrance, "/", key=fleet.current, on=edge) == 101
    put_out = json.loads(edge.run("sudo exotelctl edge --json", check=False).stdout)["put_out"]
    assert [one["address"] for one in put_out] == [THIS_MACHINE]
    edge.run(f"sudo exotelctl edge admit {THIS_MACHINE}")
    assert asked(entrance, "/", key=fleet.current) == 101


def test_a_balancer_has_to_say_for_whom_it_connects_and_nobody_else_is_believed(balanced: Balanced) -> None:
    edge, since = balanced.edge, now(balanced.edge)
    assert asked(f"{edge.address}:443", "/health", on=balanced.beside) == 0
    assert asked(f"{edge.address}:443", "/health") == 200
    stranger, itself = (ipaddress.ip_address(address).packed for address in ("203.0.113.9", edge.address))
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 12, stranger, itself, 40000, 443)
    with socket.create_connection((edge.address, 443), timeout=10) as line:
        line.sendall(header)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ssl._create_unverified_context().wrap_socket(line, server_hostname=NAME).close()
    assert "203.0.113.9" not in json.dumps(lines(edge, since))
