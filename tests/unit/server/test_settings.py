"""The settings file."""

from pathlib import Path
from typing import Any

import pytest
from exotel_ws import settings
from exotel_ws.settings import Settings, SettingsError


def test_the_defaults_are_valid() -> None:
    assert settings.check({}) == Settings()
    assert settings.check({}).port == 8765


def test_every_key_can_be_set() -> None:
    raw: dict[str, Any] = {
        "mode": "echo",
        "engine": "websockets",
        "host": "::",
        "port": 0,
        "public_url": "ws://203.0.113.10:8765",
        "paths": ["/a"],
        "metrics_sources": ["192.0.2.0/24"],
        "open_metrics": True,
        "proxy_protocol": True,
        "limits": {
            "proxies": ["192.0.2.9"],
            "calls_per_source": 5,
            "max_calls": 1,
            "max_connections": 2,
            "max_message_bytes": 4096,
            "handshake_timeout_s": 1,
            "start_timeout_s": 0.5,
            "media_timeout_s": 7,
            "messages_per_s": 99.5,
            "messages_burst": 500,
            "bytes_per_s": 100_000,
            "bytes_burst": 200_000,
            "early_message_bytes": 4096,
            "early_messages": 10,
            "max_call_s": 60,
            "max_faults": 3,
        },
        "ping": {"interval_s": 1, "timeout_s": 2},
        "auth": {"required": True, "credential": "x"},
        "log": {"level": "debug", "format": "json", "media_first": 0, "media_every": 0},
        "drain": {"timeout_s": 1, "grace_s": 0},
        "output": {"number_frames": True},
        "passthru": {"unknown": "transfer"},
        "ai": {"max_calls": 3},
    }
    chosen = settings.check(raw)
    assert chosen.limits.handshake_timeout_s == 1.0
    assert chosen.output.number_frames
    assert set(raw) == set(Settings.__struct_fields__), "a key without a value here is a key without a test"


AI_UNKNOWN = [
    'ai: unknown key "sst" (did you mean "stt"?)',
    'ai: limits: unknown key "starts" (did you mean "starts_per_minute"?)',
    'ai: services: a: unknown key "modl" (did you mean "model"?)',
    'unknown key "prot" (did you mean "port"?)',
]


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        ({"prot": 1}, ['unknown key "prot" (did you mean "port"?)']),
        ({"zzz": 1}, None),
        ({"limits": {"max_call": 1}}, ['limits: unknown key "max_call" (did you mean "max_calls"?)']),
        (
            {"prot": 1, "auth": {"requierd": True}},
            ['unknown key "prot" (did you mean "port"?)', 'auth: unknown key "requierd" (did you mean "required"?)'],
        ),
        ({"port": -1}, ["port: Expected `int` >= 0"]),
        ({"port": "8765"}, ["port: Expected `int`, got `str`"]),
        ({"port": True}, ["port: Expected `int`, got `bool`"]),
        ({"paths": "/a"}, ["paths: Expected `array`, got `str`"]),
        ({"limits": {"start_timeout_s": 0}}, ["limits.start_timeout_s: Expected `float` > 0.0"]),
        ({"drain": {"grace_s": -1}}, ["drain.grace_s: Expected `float` >= 0.0"]),
        ({"limits": {"max_message_bytes": 10}}, ["limits.max_message_bytes: Expected `int` >= 1024"]),
        ({"log": {"level": "loud"}}, ["log.level: Invalid enum value 'loud'"]),
        ({"log": []}, ["log: Expected `object`, got `array`"]),
        # The table of the mode, in any mode.
        ({"ai": {"sst": [], "limits": {"starts": 1}, "services": {"a": {"modl": ""}}}, "prot": 1}, AI_UNKNOWN),
        ({"ai": {"max_calls": 0}}, ["ai.max_calls: Expected `int` >= 1"]),
        ({"mode": "ai", "ai": {"stt": []}}, ["ai.stt: Expected `array` of length >= 1"]),
        ({"ai": {"limits": {"starts_per_minute": "3"}}}, ["ai.limits.starts_per_minute: Expected `int`, got `str`"]),
        ({"ai": {"stt": ["a", 1]}}, ["ai.stt[1]: Expected `str`, got `int`"]),
        ({"ai": {"services": {"a": 1}}}, ["ai.services[...]: Expected `object`, got `int`"]),
        ({"ai": ["stt"]}, ["ai: Expected `object`, got `array`"]),
        ({"ai": []}, ["ai: Expected `object`, got `array`"]),
        ({"echo": {"a": 1}}, ['unknown key "echo" (did you mean "host"?)']),
    ],
)
def test_problems(raw: dict[str, Any], problems: list[str] | None) -> None:
    with pytest.raises(SettingsError) as error:
        settings.check(raw)
    if problems is None:
        assert error.value.problems[0].startswith('unknown key "zzz" (known: mode, engine, host')
    else:
        assert error.value.problems == problems


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_no_wait_is_endless(seconds: float) -> None:
    """No wait is endless: TOML's `inf` and `nan` are refused, as a time that never comes is no bound."""
    with pytest.raises(SettingsError):
        settings.check({"limits": {"max_call_s": seconds}})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"port =", "not TOML"), (b"\xff", "not UTF-8"), (b"prot = 1", 'unknown key "prot"'), (None, "can't be read")],
)
def test_load_names_the_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "settings.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        settings.load(path)
    assert all(problem.startswith(f"{path}: ") for problem in error.value.problems)
    assert words in str(error.value)


def test_files_are_beside_the_settings_that_name_them(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        '[ai]\nflow = "files/flow.yml"\nprompt = "/srv/prompt.txt"\n[ai.bots.a]\nflow = "a.yml"\n[ai.bots.b]\nvoice = "meera"\n'
    )
    chosen = settings.load(path).ai
    assert chosen["bots"] == {"a": {"flow": str(tmp_path / "a.yml")}, "b": {"voice": "meera"}}
    assert (chosen["flow"], chosen["prompt"]) == (str(tmp_path / "files/flow.yml"), "/srv/prompt.txt")
