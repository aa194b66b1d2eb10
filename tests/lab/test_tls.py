"""The TLS of a deployed edge, as an independent scanner sees it: nothing old, nothing weak, the chain as it should be."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import scanner
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.unit.edge.authority import issue

SPEC = HostSpec("exo-t49", "bookworm", "198.18.65.149")
NAME = "voice.example.com"
CONTROLLER = "198.18.65.1/32"
"""A scan takes more connections than a stranger may open."""


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
    names = f"subjectAltName=DNS:{NAME},IP:{SPEC.address}\nauthorityKeyIdentifier=keyid\n"
    leaf = issue(folder, f"/CN={NAME}", of_a_server + names, by=intermediate)
    (folder / "roots.pem").write_text(root.pem)
    return Chain(folder / "roots.pem", leaf.pem + intermediate.pem + root.pem, leaf.key)


@pytest.fixture(scope="module")
def host(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Yield a host with an edge that serves the `chain`."""
    folder = tmp_path_factory.mktemp(SPEC.name)
    certificates, key = folder / "chain.pem", folder / "key.pem"
    certificates.write_text(chain.text)
    key.write_text(chain.key)
    key.chmod(0o600)
    settings = {
        "exotel_ws_source": str(copy_of_tree(tmp_path_factory.mktemp("tree"))),
        "exotel_ws_edge": True,
        "edge_domain": [SPEC.address, NAME],
        "edge_certificate": "files",
        "edge_certificate_chain": str(certificates),
        "edge_certificate_key": str(key),
        "edge_known_sources": [CONTROLLER],
    }
    [host] = bring_up([SPEC], folder / "hosts.yml")
    done = play("deploy.yml", "-e", json.dumps(settings), inventory=host.inventory)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([SPEC], host.inventory)


@pytest.fixture(scope="module")
def seen(host: LabHost, chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Return what the scanner found."""
    return scanner.install(tmp_path_factory.mktemp("scanner")).scan(NAME, host.address, chain.roots)


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
