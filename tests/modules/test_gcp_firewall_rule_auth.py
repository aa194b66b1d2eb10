"""The module's account, its words when access is refused, and the secrecy of its keys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.modules.compute.server import ComputeServer
from tests.modules.compute.tokens import ACCOUNT
from tests.modules.gcp_module import PROJECT, FirewallRule

ROOT = Path(__file__).parents[2]
TCP = [{"protocol": "tcp", "ports": ["8765"]}]
OTHER = f"firewall@{PROJECT}.iam.gserviceaccount.com"
DEFAULT: dict[str, Any] = {"auth_kind": "application_default", "service_account_file": None}


@pytest.fixture
def apply(compute: ComputeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FirewallRule:
    """Return the module, on a machine where nobody has logged in to Google Cloud."""
    for name, value in nobody(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return FirewallRule(compute, tmp_path)


def nobody(home: Path) -> dict[str, str]:
    return {"CLOUDSDK_CONFIG": str(home / "gcloud"), "NO_GCE_CHECK": "true"}


def test_application_default_credentials_of_a_file(
    compute: ComputeServer, apply: FirewallRule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "service-account.json"))
    assert apply(allowed=TCP, **DEFAULT)["changed"]
    assert compute.requests[0].principal == ACCOUNT


def test_a_service_account_is_impersonated(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.tokens.impersonable.add(OTHER)
    assert apply(allowed=TCP, impersonate_service_account=OTHER)["changed"]
    assert {request.principal for request in compute.requests} == {OTHER}


def test_who_is_impersonated_is_who_lacks_a_permission(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.tokens.impersonable.add(OTHER)
    compute.fail("GET", "firewalls", status=403)
    assert f"serviceAccount:{OTHER} lacks the permission" in apply(impersonate_service_account=OTHER)["msg"]


def test_an_account_that_may_not_be_impersonated(apply: FirewallRule) -> None:
    failed = apply(allowed=TCP, impersonate_service_account=OTHER)
    assert (failed["reason"], failed["code"], failed["operations"]) == ("credentials", 403, [])
    assert f"may not impersonate {OTHER}: gcloud iam service-accounts add-iam-policy-binding {OTHER} " in failed["msg"]
    assert failed["msg"].endswith(f"--member=serviceAccount:{ACCOUNT} --role=roles/iam.serviceAccountTokenCreator")


def test_nobody_has_logged_in(compute: ComputeServer, apply: FirewallRule) -> None:
    failed = apply(allowed=TCP, **DEFAULT)
    assert failed["msg"].endswith("no credentials of Google Cloud on this machine: gcloud auth application-default login")
    assert (failed["reason"], compute.requests) == ("credentials", [])


def test_the_file_of_the_default_credentials_is_gone(apply: FirewallRule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    failed = apply(allowed=TCP, **DEFAULT)
    assert "/nowhere/key.json was not found" in failed["msg"]
    assert failed["reason"] == "credentials"


def test_the_file_of_the_default_credentials_is_damaged(
    apply: FirewallRule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("[]", '"verysecret"', "verysecret"):
        (tmp_path / "adc.json").write_text(content)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
        failed = apply(allowed=TCP, **DEFAULT)
        assert failed["reason"] == "credentials"
        assert failed["msg"].endswith("gcloud auth application-default login")
        assert "verysecret" not in json.dumps(failed)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        ("not JSON: verysecret", "is not the JSON key of a service account: gcloud iam service-accounts keys create"),
        ('{"type": "authorized_user", "refresh_token": "verysecret"}', "is not the JSON key of a service account"),
        (
            '{"type": "service_account", "private_key": "verysecret", "client_email": "a@b", "token_uri": "u"}',
            "is not the JSON key",
        ),
        ('["verysecret"]', "is not the JSON key of a service account"),
    ],
)
def test_a_key_file_that_is_none(apply: FirewallRule, tmp_path: Path, content: str | None, complaint: str) -> None:
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    failed = apply(allowed=TCP, service_account_file=str(file))
    assert failed["msg"].startswith(f"service_account_file: {file} {complaint}")
    assert failed["reason"] == "invalid"
    assert "verysecret" not in json.dumps(failed)


def test_a_key_that_was_deleted(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.tokens.account = "somebody-else@contract-test.iam.gserviceaccount.com"
    failed = apply(allowed=TCP)
    assert "invalid_grant" in failed["msg"]
    assert "make a new key for the service account" in failed["msg"]
    assert failed["reason"] == "credentials"


def test_a_token_that_is_not_accepted(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("GET", "firewalls", status=401, times=10)
    assert "Google did not accept the credentials" in apply(allowed=TCP)["msg"]


def test_a_token_that_has_expired_on_the_way_is_renewed(compute: ComputeServer, apply: FirewallRule) -> None:
    compute.fail("POST", "firewalls", status=401)
    assert apply(allowed=TCP)["changed"]


def ansible(compute: ComputeServer, home: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the module as an operator does, on a VM whose metadata server is `compute`."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "ANSIBLE_"))},
        "CLOUDSDK_CONFIG": str(home / "gcloud"),
        "GCE_METADATA_HOST": compute.url.removeprefix("http://"),
        "GCE_METADATA_IP": compute.url.removeprefix("http://"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    given = {"project": PROJECT, "api_endpoint": compute.url, "name": FirewallRule.name, "allowed": TCP, **options}
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "exotel.voicebot.gcp_firewall_rule"]
    variables = ["-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-a", json.dumps(given)]
    return subprocess.run(
        [*command, *variables, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def test_ansible_runs_it_with_the_account_of_the_vm(compute: ComputeServer, tmp_path: Path) -> None:
    foreseen = ansible(compute, tmp_path, "--check", "--diff", "-vvv", target_tags=["exotel-ws"])
    assert foreseen.returncode == 0, foreseen.stdout + foreseen.stderr
    assert compute.requests.writes == []
    assert re.search(r"^\+ *allowed:$", foreseen.stdout, re.MULTILINE)
    assert re.search(r"^\+ *- exotel-ws$", foreseen.stdout, re.MULTILINE)
    assert not re.search(r"ya29\.|PRIVATE KEY", foreseen.stdout + foreseen.stderr)
    made = ansible(compute, tmp_path, target_tags=["exotel-ws"])
    assert made.returncode == 0, made.stdout + made.stderr
    assert "CHANGED" in made.stdout
    assert compute.store.firewalls(PROJECT)[FirewallRule.name]["targetTags"] == ["exotel-ws"]
    assert {request.principal for request in compute.requests} == {ACCOUNT}


def test_where_the_library_is_missing_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "google").mkdir()
    (tmp_path / "google/__init__.py").write_text("")
    options = {"project": PROJECT, "name": FirewallRule.name, "allowed": TCP}
    arguments = {"ANSIBLE_MODULE_ARGS": options}
    run = subprocess.run(
        [sys.executable, "-m", "ansible_collections.exotel.voicebot.plugins.modules.gcp_firewall_rule", json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'collections'}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    failed = json.loads(run.stdout)
    assert failed["msg"].startswith(f"google-cloud-compute is missing for {sys.executable}: run make venv")
    assert failed["reason"] == "library"
