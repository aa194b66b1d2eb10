"""Sentences of callers to a shop, as text: how many the shipped flow understands, and how few it takes that it should not."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from .understanding import FINAL, PARTING, read

Read = Callable[[str], str | None]
MEANING: Final[dict[str, frozenset[str]]] = {
    "hours": frozenset({"opening_hours"}),
    "order": frozenset({"order_status"}),
    "agent": frozenset({"agent"}),
    "yes": frozenset({"yes", "okay"}),
    "no": PARTING,
    "repeat": frozenset({"repeat"}),
    "thanks": frozenset({"remark", "okay"}),
    "goodbye": PARTING,
}
"""Intents that are right for each wish of the files."""
ANSWERS: Final = frozenset({"opening_hours", "order_status"}) | FINAL
"""Intents that answer, or end the call: wrong for a sentence that means none of them."""


@pytest.fixture(scope="module")
def understand() -> Read:
    return read()


def callers(name: str) -> dict[str, dict[str, list[str]]]:
    """Return sentences by language and wish."""
    some: Any = yaml.safe_load((Path(__file__).parent / f"{name}.yml").read_text("utf-8"))
    return {language: dict(wishes) for language, wishes in some.items()}


def counted(understand: Read, wishes: dict[str, list[str]]) -> Counter[str]:
    """Count sentences that are right, wrong or not understood; and those of no wish that are taken."""
    told: Counter[str] = Counter()
    for wish, some in wishes.items():
        for taken in map(understand, some):
            if wish == "none":
                told["taken" if taken in ANSWERS else "left"] += 1
            else:
                told["right" if taken in MEANING[wish] else "wrong" if taken else "not understood"] += 1
    return told


@pytest.mark.parametrize(
    ("name", "language", "right", "wrong", "taken"),
    [
        ("shop_seen", "en", 316, 4, 7),
        ("shop_seen", "hi", 76, 1, 1),
        ("shop_held_out", "en", 115, 4, 4),
        ("shop_held_out", "hi", 42, 3, 1),
    ],
)
def test_callers_of_a_shop_are_understood(understand: Read, name: str, language: str, right: int, wrong: int, taken: int) -> None:
    told = counted(understand, callers(name)[language])

    assert told["right"] >= right, told
    assert told["wrong"] <= wrong, told
    assert told["taken"] <= taken, told


@pytest.mark.parametrize("name", ["shop_seen", "shop_held_out"])
def test_nothing_that_means_no_end_hangs_up(understand: Read, name: str) -> None:
    none = [text for wishes in callers(name).values() for text in wishes["none"]]

    assert len(none) > 70
    assert [text for text in none if understand(text) in PARTING] == []
