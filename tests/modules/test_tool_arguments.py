"""Arguments of exotelctl for the verbs of the roles, by their variables."""

import sys
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.exotel.voicebot.plugins.lookup.tool_arguments import LookupModule
from ansible_collections.exotel.voicebot.plugins.plugin_utils.tool_arguments import VERBS, timestamp
from ansible_collections.exotel.voicebot.plugins.plugin_utils.variables import specs

URL = "ws://203.0.113.7:8765?sample-rate=8000"
OF_A_HOST = {"oncall_doctor_url": URL, "oncall_doctor_gcp_project": ""}


def arguments(verb: str, **variables: Any) -> list[str]:
    loader = DataLoader()
    return LookupModule(loader=loader, templar=Templar(loader=loader)).run([verb], variables)


@pytest.mark.parametrize(
    ("verb", "variables", "made"),
    [
        ("logs", {}, "logs --json"),
        ("logs", {"oncall_logs_call": "sid", "oncall_logs_lines": "5"}, "logs --json --call sid --lines 5"),
        (
            "logs",
            {"oncall_logs_since": "2026-11-25 10:30 UTC", "oncall_logs_until": "-1h"},
            "logs --json --since @1795602600 --until -1h",
        ),
        (
            "logs",
            {"oncall_logs_errors": "yes", "oncall_logs_numbers": True, "oncall_logs_event": ["start", "refused"]},
            "logs --json --errors --numbers --event start --event refused",
        ),
        ("doctor", {}, "doctor --since -1h"),
        ("doctor", {"oncall_doctor_since": "2026-11-25 10:30 UTC"}, "doctor --since @1795602600"),
        ("doctor-judge", OF_A_HOST, f"doctor --replay bundle.tar --outside {URL}"),
        (
            "doctor-judge",
            {**OF_A_HOST, "oncall_doctor_gcp_project": "p", "exotel_ws_credentials": ["one:aaaaaaaa"]},
            f"doctor --replay bundle.tar --outside {URL} --cloud cloud.json --credential-file /dev/stdin",
        ),
        ("port-clean", {}, "port-clean --json --thorough --port 8765"),
        ("port-clean", {"oncall_ports": "8765,8009"}, "port-clean --json --thorough --port 8765 --port 8009"),
        ("reset", {}, "reset --json --drain 0"),
        ("reset", {"reset_drain_s": "60", "reset_ports": 8009}, "reset --json --drain 60 --port 8009"),
    ],
)
def test_arguments(verb: str, variables: dict[str, Any], made: str) -> None:
    assert arguments(verb, **variables) == made.split(" ")


@pytest.mark.parametrize(
    ("verb", "variables", "said"),
    [
        ("log", {}, "one of logs, doctor, doctor-judge, port-clean, reset"),
        ("port-clean", {"oncall_ports": "all"}, "oncall_ports is all: entry 1: it must be a whole number"),
    ],
)
def test_what_cannot_be_asked_is_refused(verb: str, variables: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleError, match=said):
        arguments(verb, **variables)


def test_the_variables_of_each_verb_exist() -> None:
    assert {name for verb in VERBS.values() for name in verb.variables} <= specs().keys()


@pytest.mark.parametrize(
    ("typed", "sent"), [("2026-11-25 10:30 UTC", "@1795602600"), ("-2h", "-2h"), ("yesterday", "yesterday"), ("", "")]
)
def test_hosts_are_sent_instants(typed: str, sent: str) -> None:
    assert timestamp(typed) == sent


def test_without_the_tool_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exotelctl", None)
    with pytest.raises(AnsibleError, match=r"not installed beside Ansible here .* type make venv"):
        arguments("doctor")
