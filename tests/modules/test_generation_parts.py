"""Extras, secrets and files of a generation, by the variables of the role exotel_ws."""

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.exotel.voicebot.plugins.lookup.generation_parts import LookupModule

TREE = Path(__file__).resolve().parents[2]
AI = {"exotel_ws_mode": "ai"}
KEYS = {"deepgram-api-key": "k"}


def part(name: str, **variables: Any) -> Any:
    loader = DataLoader()
    [found] = LookupModule(loader=loader, templar=Templar(loader=loader)).run([name], variables)
    return found


@pytest.mark.parametrize(
    ("variables", "extras"),
    [
        ({}, []),
        ({"exotel_ws_extras": "deepgram,google"}, ["deepgram", "google"]),
        (AI, ["ai"]),
        ({**AI, "exotel_ws_extras": ["deepgram", "ai"]}, ["ai", "deepgram"]),
    ],
)
def test_extras(variables: dict[str, Any], extras: list[str]) -> None:
    assert part("extras", **variables) == extras


@pytest.mark.parametrize(
    ("variables", "secrets"),
    [
        ({}, {}),
        ({"exotel_ws_ai_keys": KEYS}, {}),
        ({**AI, "exotel_ws_ai_keys": KEYS}, KEYS),
        (
            {"exotel_ws_credentials": ["one:aaaaaaaa", "two:bbbbbbbb"]},
            {"stream-credentials": "one:aaaaaaaa\ntwo:bbbbbbbb\n"},
        ),
        (
            {**AI, "exotel_ws_ai_keys": KEYS, "exotel_ws_credentials": "one:aaaaaaaa"},
            {**KEYS, "stream-credentials": "one:aaaaaaaa\n"},
        ),
    ],
)
def test_secrets(variables: dict[str, Any], secrets: dict[str, str]) -> None:
    assert part("secrets", **variables) == secrets


@pytest.mark.parametrize(
    ("variables", "paths"),
    [
        (AI, {}),
        ({"exotel_ws_ai_flow": "flow.yml", "exotel_ws_ai_prompt": "p.txt"}, {}),
        ({**AI, "exotel_ws_ai_flow": "files/a.yml"}, {"flow.yml": str(TREE / "files/a.yml")}),
        ({**AI, "inventory_dir": None, "exotel_ws_ai_prompt": "/etc/p"}, {"prompt.txt": "/etc/p"}),
        (
            {**AI, "inventory_dir": "/inv", "exotel_ws_ai_flow": "a.yml", "exotel_ws_ai_prompt": "b"},
            {"flow.yml": "/inv/a.yml", "prompt.txt": "/inv/b"},
        ),
        (
            {**AI, "inventory_dir": "/inv", "exotel_ws_ai": {"bots": {"sales": {"flow": "s.yml", "prompt": "/s.txt"}, "b": {}}}},
            {"bot-sales-flow.yml": "/inv/s.yml", "bot-sales-prompt.txt": "/s.txt"},
        ),
        ({**AI, "exotel_ws_ai": {"bots": {"sales": "x", "b": {"flow": ["y"]}}}}, {}),
    ],
)
def test_files_are_beside_the_inventory(variables: dict[str, Any], paths: dict[str, str]) -> None:
    assert part("paths", **variables) == paths


def test_a_file_is_told_with_the_variable_that_names_it() -> None:
    variables = {**AI, "inventory_dir": "/inv", "exotel_ws_ai_flow": "a.yml", "exotel_ws_ai": {"bots": {"b": {"prompt": "p"}}}}
    assert [(one["kind"], one["path"], one["variable"], one["said"]) for one in part("sources", **variables)] == [
        ("flow", "/inv/a.yml", "exotel_ws_ai_flow", "a.yml"),
        ("prompt", "/inv/p", "exotel_ws_ai: bots.b.prompt", "p"),
    ]


def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("Be kind.\n\n")
    assert part("files", inventory_dir=str(tmp_path), exotel_ws_ai_prompt="p.txt", **AI) == {"prompt.txt": "Be kind.\n\n"}


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(AnsibleError, match="/nowhere/p"):
        part("files", exotel_ws_ai_prompt="/nowhere/p", **AI)


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        ("secret", {}, "one of extras, secrets, sources, paths, files"),
        ("extras", {"exotel_ws_mode": "Echo"}, "exotel_ws_mode is Echo: it must be one of echo, ai"),
    ],
)
def test_what_cannot_be_answered_is_refused(name: str, variables: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleError, match=said):
        part(name, **variables)
