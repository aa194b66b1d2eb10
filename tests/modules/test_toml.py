"""Settings written as TOML read back as they were."""

import tomllib
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import toml

SETTINGS = [
    {"port": 8765, "mode": "echo", "grace_s": 0.5, "number": True, "other": False},
    {"paths": [], "names": ["/a", '/"quoted"'], "mixed": [1, 2.5, True]},
    {"limits": {"max_calls": 500}, "auth": {"required": False}},
    {"a": {"b": {"c": 1}}, "after": 2},
    {"text": 'a "quote", a \\ backslash, a\nline, a\ttab, \x00 \x7f ü 電話 🔌'},
    {"": "empty key", "with space": 1, "dotted.key": {"ü": 1}},
    {"list": [{"a": 1, "b": "x"}, {"a": 2}]},
    {},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_read_back_as_they_were(settings: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(settings)) == settings


def test_plain_values_come_before_tables() -> None:
    assert toml.dumps({"limits": {"max_calls": 5}, "port": 1}) == "port = 1\n\n[limits]\nmax_calls = 5\n"


@pytest.mark.parametrize("value", [None, object(), {1, 2}])
def test_a_value_without_a_place_in_toml_is_named(value: object) -> None:
    with pytest.raises(ValueError, match=r"limits\.max_calls: a \w+ has no place in TOML"):
        toml.dumps({"limits": {"max_calls": value}})


def test_what_was_written_reads_back_on_a_python_without_tomllib() -> None:
    settings = {
        "mode": "ai",
        "paths": ["/a b", "/é\x7f"],
        "auth": {"required": True, "x": {"y": 0.5}},
        "ai": {"list": [{"a": 1}]},
    }
    expected = {"mode": "ai", "paths": ["/a b", "/é\x7f"], "auth.required": True, "auth.x.y": 0.5}
    assert toml.plain(toml.dumps(settings)) == expected


def test_what_is_no_toml_reads_as_nothing() -> None:
    assert toml.plain("mode = \n]x[\nsome text") == {}
