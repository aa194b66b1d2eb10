"""A call is marked as the operator's by a token that the playbooks fetch from the host's own release."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("asks", ["roles/oncall/tasks/doctor.yml", "roles/verify/files/look.sh"])
def test_a_playbook_asks_todays_release_first(asks: str) -> None:
    """Without a token, a test call counts as a stranger's, and the doctor judges it."""
    first, *_ = re.findall(r"\b(?:exotel_phone|exotelctl)\.\w+", (ROOT / asks).read_text())
    assert callable(importlib.import_module(first).token)
