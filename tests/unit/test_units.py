"""The units that are rendered for a host."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).parents[2] / "roles" / "exotel_ws"


def memory(**variables: Any) -> list[str]:
    """The lines of a worker's unit that bound its memory."""
    own = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    given = {
        **yaml.safe_load((ROLE / "defaults/main.yml").read_text()),
        "_exotel_ws_memory_mb": own["_exotel_ws_memory_mb"],
        "_exotel_ws_chosen": {},
        "_exotel_ws_all_settings": {"limits": {"max_calls": 500}},
        "_exotel_ws_records": False,
        "_exotel_ws_needs_network": False,
        "_exotel_ws_secrets": {},
        **variables,
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


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"_exotel_ws_mode": "echo"}, "MemoryMax=756M"),
        ({"_exotel_ws_mode": "echo", "_exotel_ws_all_settings": {"limits": {"max_calls": 50}}}, "MemoryMax=306M"),
        ({"_exotel_ws_mode": "ai"}, "MemoryMax=2024M"),
        ({"_exotel_ws_mode": "ai", "_exotel_ws_chosen": {"max_calls": 100}}, "MemoryMax=5024M"),
        ({"_exotel_ws_mode": "echo", "exotel_ws_memory_mb": 2000}, "MemoryMax=2000M"),
        ({"_exotel_ws_mode": "ai", "exotel_ws_memory_mb": "3000"}, "MemoryMax=3000M"),
    ],
)
def test_a_worker_has_its_memory_bounded_in_every_mode(variables: dict[str, Any], line: str) -> None:
    assert memory(**variables) == [line]
