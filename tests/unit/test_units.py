"""The units that are rendered for a host."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.exotel.voicebot.plugins.filter.sandbox import sandbox

ROLE = Path(__file__).parents[2] / "roles" / "exotel_ws"


def unit(settings: dict[str, Any], memory_mb: int | str = 0, secrets: dict[str, str] | None = None) -> list[str]:
    """Return the lines of a worker's unit."""
    given = {
        **yaml.safe_load((ROLE / "defaults/main.yml").read_text()),
        "_exotel_ws_mode": settings["mode"],
        "_exotel_ws_sandbox": sandbox(settings, memory_mb=memory_mb),
        "_exotel_ws_secrets": secrets or {},
    }
    try:
        from ansible.template import trust_as_template
    except ImportError:  # ansible-core before 2.19

        def trust_as_template(text: str) -> str:  # type: ignore[misc]
            return text

    given = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in given.items()}
    templar = Templar(loader=DataLoader(), variables=given)
    text = (ROLE / "templates/exotel-ws@.service.j2").read_text().removeprefix("# {{ ansible_managed }}\n")
    return str(templar.template(trust_as_template(text))).splitlines()


LIMITS = {"limits": {"max_calls": 500}}


@pytest.mark.parametrize(
    ("settings", "memory_mb", "line"),
    [
        ({"mode": "echo", **LIMITS}, 0, "MemoryMax=756M"),
        ({"mode": "echo", "limits": {"max_calls": 50}}, 0, "MemoryMax=306M"),
        ({"mode": "ai", **LIMITS}, 0, "MemoryMax=2024M"),
        ({"mode": "ai", "ai": {"max_calls": 100}, **LIMITS}, 0, "MemoryMax=5024M"),
        ({"mode": "echo", **LIMITS}, 2000, "MemoryMax=2000M"),
        ({"mode": "ai", **LIMITS}, "3000", "MemoryMax=3000M"),
    ],
)
def test_a_worker_has_its_memory_bounded_in_every_mode(settings: dict[str, Any], memory_mb: int | str, line: str) -> None:
    assert [found for found in unit(settings, memory_mb) if found.startswith("MemoryMax=")] == [line]


RECORDS = {"record": {"transcripts": True}}


@pytest.mark.parametrize(
    ("settings", "secrets", "directories"),
    [
        ({"mode": "echo", **LIMITS}, {}, []),
        ({"mode": "echo", **LIMITS}, {"stream-credentials": "exotel:key"}, ["exotel-ws-keys"]),
        ({"mode": "ai", "ai": RECORDS, **LIMITS}, {"openai": "key"}, ["exotel-ws/calls"]),
        ({"mode": "ai", "ai": RECORDS, **LIMITS}, {"stream-credentials": "exotel:key"}, ["exotel-ws-keys", "exotel-ws/calls"]),
    ],
)
def test_the_use_of_keys_is_kept_where_there_are_keys(
    settings: dict[str, Any], secrets: dict[str, str], directories: list[str]
) -> None:
    lines = unit(settings, secrets=secrets)
    assert [line.removeprefix("StateDirectory=") for line in lines if line.startswith("StateDirectory=")] == directories
    at = lines.index("ExecStart=/etc/exotel-ws/instances/%i/release/bin/exotel-ws serve \\")
    command = " ".join(line.strip(" \\") for line in lines[at : lines.index("User=exotel-ws")])
    assert ("--key-usage /var/lib/exotel-ws-keys/usage.json" in command) == ("exotel-ws-keys" in directories)
    assert command.endswith("--log-format journal")
