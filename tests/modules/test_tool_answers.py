"""Answers of the tool on hosts: reasons for a missing one, failed checks, and the lines of all hosts."""

import json
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils.tool_answers import (
    failed_checks,
    merged_logs,
    plain_text,
    tool_fault,
)


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
    fault = tool_fault(result)
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
    assert tool_fault(result) == fault


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("🔌 connected\n", "connected\n"),
        ("✅ fine  \n❌ broken ", "✅ fine\n❌ broken"),
        ("a  b", "a  b"),
        ("", ""),
    ],
)
def test_a_text_has_no_character_that_makes_ansible_quote_it(text: str, shown: str) -> None:
    assert plain_text(text) == shown


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"stdout": "✅ fine\n  ❌ port: taken \n❌ calls: lost 🔌\n", "stderr": ""}, "❌ port: taken; ❌ calls: lost"),
        ({"stdout": "❌ port", "stderr": "no bundle"}, "no bundle"),
        ({"stderr": None}, ""),
    ],
)
def test_the_checks_that_failed_are_named_in_one_line(result: dict[str, Any], said: str) -> None:
    assert failed_checks(result) == said


def logs_of(**results: dict[str, Any]) -> list[str]:
    return merged_logs(results, results).splitlines()


def test_the_lines_of_a_host_follow_its_name() -> None:
    lines = logs_of(
        a={"__oncall_logs": {"rc": 0, "stdout": '{"n": 1}\n{"n": 2}'}},
        b={"__oncall_logs": {"rc": 1, "stdout": ""}},
    )
    source = {"kind": "source", "fault": ""}
    assert [json.loads(line) if line else None for line in lines] == [
        {**source, "host": "a"},
        {"n": 1},
        {"n": 2},
        {**source, "host": "b"},
        None,
    ]


@pytest.mark.parametrize(
    ("results", "fault"),
    [
        ({"__oncall_logs": {"rc": 3, "stderr": "refused: no journal", "stdout": "{}"}}, "refused: no journal"),
        ({"__oncall_logs": {"unreachable": True, "msg": "gone"}}, "unreachable: gone"),
        ({"__oncall_logs": {"skipped": True}, "__preflight_look": {"unreachable": True, "msg": "gone"}}, "unreachable: gone"),
        ({"__preflight_look": {"failed": True, "msg": "no root"}}, "no root"),
        ({}, "exit code unknown"),
    ],
)
def test_a_host_without_an_answer_has_the_reason(results: dict[str, Any], fault: str) -> None:
    [line] = logs_of(a=results)
    assert json.loads(line) == {"kind": "source", "host": "a", "fault": fault}
