"""The filters of the playbooks on call: why the tool gave no answer, and times that hosts of every zone understand."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins/filter"


def filter_of(name: str) -> Callable[..., str]:
    spec = importlib.util.spec_from_file_location(name, PLUGINS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., str] = module.FilterModule().filters()[name]
    return found


@pytest.mark.parametrize(
    "result",
    [
        {
            "rc": 2,
            "msg": "Error executing command.",
            "stderr": "",
            "exception": "[Errno 2] No such file or directory: b'exotelctl'",
        },
        {"rc": 2, "msg": "Error executing command."},
        {"rc": 2, "msg": "[Errno 2] No such file or directory: b'/usr/local/bin/exotelctl'", "stdout": ""},
    ],
)
def test_a_host_without_the_tool_is_one_without_a_deployment(result: dict[str, Any]) -> None:
    fault = filter_of("tool_fault")(result)
    assert "there is no exotelctl" in fault
    assert "ansible-playbook deploy.yml -i INVENTORY" in fault
    assert "Error executing" not in fault


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ({"rc": 3, "msg": "non-zero return code", "stderr": "refused: no journal\n"}, "refused: no journal"),
        ({"rc": -9, "msg": "non-zero return code", "stderr": ""}, "exit code -9"),
        ({"unreachable": True, "msg": "Connection refused"}, "unreachable: Connection refused"),
        ({"failed": True, "msg": "Timeout"}, "Timeout"),
        ({}, "exit code unknown"),
    ],
)
def test_everything_else_is_said_as_it_is(result: dict[str, Any], fault: str) -> None:
    assert filter_of("tool_fault")(result) == fault


@pytest.mark.parametrize(
    ("typed", "sent"), [("2026-11-25 10:30 UTC", "@1795602600"), ("-2h", "-2h"), ("yesterday", "yesterday"), ("", "")]
)
def test_hosts_are_sent_instants(typed: str, sent: str) -> None:
    assert filter_of("instant")(typed) == sent
