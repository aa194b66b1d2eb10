"""Report of what a deploy changes for callers, with the line to type if it is meant."""

from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.filter.changes_for_callers import changes_for_callers

FOR_CALLERS = ["For callers of a this changes:", "- the port moves", "- a key goes"]


@pytest.mark.parametrize(
    ("consent", "accepted", "lines"),
    [
        ([], [], FOR_CALLERS),
        (["port"], [], [*FOR_CALLERS, "If it is meant: -e exotel_ws_accept=port"]),
        (
            ["port", "paths"],
            ["credentials", "port"],
            [*FOR_CALLERS, "If it is meant: -e exotel_ws_accept=credentials,port,paths"],
        ),
    ],
)
def test_lines(consent: list[str], accepted: list[str], lines: list[str]) -> None:
    foreseen = {"consequences": ["the port moves", "a key goes"], "consent": consent}
    assert changes_for_callers(foreseen, "a", accepted) == lines


@pytest.mark.parametrize("foreseen", [{"consequences": [], "consent": []}, {"skipped": True}])
def test_nothing_is_told_where_nothing_changes(foreseen: dict[str, Any]) -> None:
    assert changes_for_callers(foreseen, "a", ["port"]) == []
