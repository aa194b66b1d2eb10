"""The units that are rendered for a host."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.exotel.voicebot.plugins.filter.sandbox import sandbox

ROLE = Path(__file__).parents[2] / "roles" / "exotel_ws"


def memory(settings: dict[str, Any], memory_mb: int | str = 0) -> list[str]:
    """Return the lines of a worker's unit that bound its memory."""
    given = {
        **yaml.safe_load((ROLE / "defaults/main.yml").read_text()),
        "_exotel_ws_mode": settings["mode"],
        "_exotel_ws_sandbox": sandbox(settings, memory_mb=memory_mb),
        "_exotel_ws_secrets": {},
    }
    try:
        from ansible.template import trust_as_template
    except ImportError:  # ansible-core before 2.19

        def trust_as_template(text: str) -> str:  # type: ignore[misc]
            return text

    given = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in given.items()}
    templar = Templar(loader=DataLoader(), variables=given)
    text = (ROLE / "templates/exotel-ws@.service.j2").read_text().removeprefix("# {{ ansible_managed }}\n")
    unit = templar.template(trust_as_template(text))
    return [line for line in str(unit).splitlines() if line.startswith("MemoryMax=")]


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
    assert memory(settings, memory_mb) == [line]
