"""Questions of doctor.yml to Google Cloud, against the Compute API of the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.lab.labhost import play

if TYPE_CHECKING:
    from tests.modules.compute.server import ComputeServer

PROJECT, NAME = "my-project", "allow-exotel-ws-acme"
EDGE = {
    "exotel_ws_edge": True,
    "edge_domain": ["voice.example.com"],
    "exotel_ws_allowed_sources": ["203.0.113.0/24"],
}


def asked(compute: ComputeServer, folder: Path, variables: dict[str, Any]) -> list[str]:
    """Return the rules that an edge left behind, as the doctor is told."""
    told = folder / "cloud.json"
    role = {"name": "exotel.voicebot.oncall", "tasks_from": "doctor_cloud"}
    keep = {"content": "{{ _oncall_doctor_cloud | to_json }}", "dest": str(told)}
    tasks = [{"ansible.builtin.import_role": role}, {"ansible.builtin.copy": keep}]
    book = folder / "ask.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    google = {
        "gcp_project": PROJECT,
        "gcp_instance": "voice-1",
        "gcp_api_endpoint": compute.url,
        "gcp_service_account_file": str(compute.credentials_file(folder)),
    }
    done = play(str(book), "-e", json.dumps(google | variables), timeout=120)
    assert done.rc == 0, done.stdout
    assert compute.requests.writes == []
    leftovers: list[str] = json.loads(told.read_text())["leftovers"]
    return leftovers


@pytest.mark.timeout(600)  # three plays
def test_a_rule_that_an_edge_left_is_named_and_stays(compute: ComputeServer, tmp_path: Path) -> None:
    instance = compute.store.add_instance(PROJECT, "asia-south1-a", "voice-1")
    rule: dict[str, Any] = {
        "id": "1",
        "name": NAME,
        "description": "Exotel WebSocket Server",
        "network": instance["networkInterfaces"][0]["network"],
        "direction": "INGRESS",
        "priority": 1000,
        "sourceRanges": ["0.0.0.0/0"],
        "allowed": [{"IPProtocol": "tcp", "ports": ["80"]}],
    }
    compute.store.firewalls(PROJECT)[NAME] = rule
    assert asked(compute, tmp_path, {}) == [f"{NAME} of {PROJECT}"]
    assert asked(compute, tmp_path, EDGE) == []
    rule["description"] = "Our web shop"
    assert asked(compute, tmp_path, {}) == []
