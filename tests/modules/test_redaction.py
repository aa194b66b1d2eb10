"""One module finds every secret in the settings, in any form."""

import tomllib
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import toml
from ansible_collections.exotel.voicebot.plugins.module_utils.redaction import (
    HIDDEN,
    redacted,
    redacted_toml,
    redacted_url,
    secrets_in,
    secrets_of_credentials,
    secrets_of_toml,
    without,
)
from exotel_ws.ai.settings import Ai
from exotel_ws.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

SETTINGS: dict[str, Any] = {
    "mode": "ai",
    "port": 8765,
    "public_url": "ws://voice.example.com:8765/media/pA7h-s3cret",
    "paths": ["/media/pA7h-s3cret", "/ws"],
    "auth": {"required": True, "credential": "stream-credentials"},
    "ai": {
        "llm": ["mine", "openai"],
        "greeting": "Welcome to the token counter.",
        "webhook_url": "https://hooks.example.com/services/T0PSEC/B0PSEC/x9?sig=s1gnature#fr4gment",
        "services": {
            "mine": {
                "model": "gpt-4o-mini-2024-07-18",
                "base_url": "https://bob:hunter22@llm.example.com/tenant-4711/v1?key=qu3ry",
                "credential": "mine-api-key",
                "options": {
                    "api_key": "k3y",
                    "extra_headers": {"Authorization": "Bearer abc def", "X-Id": "idid"},
                    "passphrase": "sk-1234567890abcdef",
                    "voice_id": "21m00Tcm4TlvDq8ikWAM",
                    "temperature": 0.2,
                },
            }
        },
    },
}
SECRETS = [
    "pA7h-s3cret",
    "T0PSEC",
    "B0PSEC",
    "s1gnature",
    "fr4gment",
    "hunter22",
    "tenant-4711",
    "qu3ry",
    "k3y",
    "idid",
    "sk-1234567890abcdef",
    "Bearer abc def",
]
SHOWN = [
    "voice.example.com:8765",
    "hooks.example.com",
    "llm.example.com",
    "gpt-4o-mini-2024-07-18",
    "mine-api-key",
    "stream-credentials",
    "21m00Tcm4TlvDq8ikWAM",
    "0.2",
    "/media",
    "/ws",
    "/v1",
    "Welcome to the token counter.",
]


def test_settings_keep_their_shape_and_lose_their_secrets() -> None:
    text = str(redacted(SETTINGS))
    assert [secret for secret in SECRETS if secret in text] == []
    assert [shown for shown in SHOWN if shown not in text] == []


def test_the_text_of_settings_loses_the_same() -> None:
    text = redacted_toml(toml.dumps(SETTINGS))
    assert tomllib.loads(text) == redacted(SETTINGS)
    assert secrets_of_toml(toml.dumps(SETTINGS)) == secrets_in(SETTINGS)


def test_a_file_written_by_hand_loses_every_text_that_is_not_understood() -> None:
    text = redacted_toml("mode = 'ai'  # mine\nwebhook_url='https://h/s3cret'\n[ai]\nx = {a = \"s3cret\"}\nport = 8765\n")
    assert "s3cret" not in text
    assert "port = 8765" in text


def test_secrets_are_found_in_other_texts_in_each_spelling() -> None:
    secrets = [*secrets_in(SETTINGS), *secrets_of_credentials('exotel:t0k/n ü"\n')]
    said = 'GET /media/pA7h-s3cret?auth=t0k%2Fn%20%C3%BC%22 basic ZXhvdGVsOnQway9uIMO8Ig== {"a": "t0k/n \\u00fc\\""} hunter22'
    told = without(said, secrets)
    assert told == f'GET /media/{HIDDEN}?auth={HIDDEN} basic {HIDDEN}== {{"a": "{HIDDEN}"}} {HIDDEN}'


def test_what_is_no_secret_is_not_sought() -> None:
    plain = {"mode": "echo", "public_url": "ws://198.51.100.7:8765", "paths": ["/"], "limits": {"max_calls": 500}}
    assert redacted(plain) == plain
    assert secrets_in(plain) == []


def test_the_defaults_hold_no_secret() -> None:
    import msgspec

    plain = msgspec.to_builtins(Settings()) | {"ai": msgspec.to_builtins(Ai())}
    assert redacted(plain) == plain
    assert "webhook_url" in Ai.__struct_fields__  # what the tests above are about


@pytest.mark.parametrize("scheme", ["ws", "https"])
@given(user=st.from_regex(r"[a-z]{4,8}", fullmatch=True), secret=st.from_regex(r"[A-Z0-9_.~%-]{6,20}", fullmatch=True))
def test_of_a_url_only_the_host_is_certain_to_be_shown(scheme: str, user: str, secret: str) -> None:
    for url in (
        f"{scheme}://{user}:{secret}@h.example:1/ws",
        f"{scheme}://h.example/{secret}",
        f"{scheme}://h.example/?{secret}",
    ):
        assert secret not in redacted_url(url)
        assert "h.example" in redacted_url(url)
