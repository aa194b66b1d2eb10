"""The controller's findings about Google Cloud are read whole, without unknown fields; anything else is refused."""

import json
from typing import Any

import pytest
from exotelctl.doctor.facts.cloud import understand
from exotelctl.doctor.facts.fact import NotSeen

from tests.unit.tools.doctor_facts import CLOUD

RULE = {
    "level": "VPC rules",
    "policy": "",
    "name": "allow-exotel-ws",
    "priority": 1000,
    "action": "allow",
    "match": "from 0.0.0.0/0 to tcp:8765",
    "certain": True,
}
RESULT: dict[str, Any] = {
    "changed": False,
    "reachable": "yes",
    "text": "tcp:8765 is allowed by rule allow-exotel-ws, priority 1000",
    "obstacles": [],
    "unserved": [],
    "shares": [{"source": ["0.0.0.0/0"], "reachable": "yes", "rules": ["rule allow-exotel-ws, priority 1000"], "doubts": []}],
    "rules": [RULE],
    "instance": {
        "project": "my-project",
        "name": "voice-1",
        "zone": "asia-south1-a",
        "status": "RUNNING",
        "network_interface": "nic0",
        "network": "projects/my-project/global/networks/default",
        "internal": ["10.160.0.2"],
        "external": ["198.51.100.7"],
    },
    "port": "tcp:8765",
}


def test_a_result_is_read() -> None:
    assert understand(json.dumps(RESULT).encode()) == CLOUD


def test_what_a_later_version_adds_is_left_aside() -> None:
    assert understand(json.dumps({**RESULT, "colour": "blue", "rules": [{**RULE, "hits": 3}]}).encode()) == CLOUD


def test_doubts_are_collected_and_many_rules_cut() -> None:
    doubtful = [{**RESULT["shares"][0], "doubts": ["a", "b"]}, {**RESULT["shares"][0], "doubts": ["c"]}]
    found = understand(json.dumps({**RESULT, "shares": doubtful, "rules": [RULE] * 99}).encode())
    assert found.doubts == ("a", "b", "c")
    assert len(found.rules) == 12


UNFIT: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"\xff{", "cannot be read: not JSON"),
    "nested too deep": (b"[" * 100_000, "cannot be read: not JSON"),
    "another kind": (b"[]", "it: list where dict belongs"),
    "nothing": (b"{}", "does not say whether the port is reachable"),
    "the module failed": (b'{"msg": "no credentials:\\n gcloud auth"}', "could not be looked at: no credentials: gcloud auth"),
    "a number for a word": (json.dumps({**RESULT, "text": 5}).encode(), "text: int where str belongs"),
    "a word for a list": (json.dumps({**RESULT, "obstacles": "none"}).encode(), "obstacles: str where list belongs"),
    "a part is gone": (json.dumps({**RESULT, "instance": None}).encode(), "instance: NoneType where dict belongs"),
}


@pytest.mark.parametrize(("raw", "why"), UNFIT.values(), ids=UNFIT)
def test_what_is_no_result_says_what_is_wrong_with_it(raw: bytes, why: str) -> None:
    with pytest.raises(NotSeen) as refused:
        understand(raw)
    assert why in str(refused.value)
