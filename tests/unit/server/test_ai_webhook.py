"""A webhook's secret is a credential: it is sent with each question, and stays out of its address and the log."""

import asyncio
import logging
from pathlib import Path

import pytest
from aiohttp import web
from exotel_ws.ai.providers import keys, supply, webhook
from exotel_ws.ai.settings import Ai
from exotel_ws.settings import SettingsError

from .test_ai_parts import hook

SECRET = "s3cret-of-the-hook"


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("named", "file", "sent"),
    [("", "webhook", SECRET), ("crm-token", "crm-token", SECRET), ("", "another", ""), ("", "", "")],
)
def test_the_secret_is_the_credential_that_is_named_or_the_usual_one(credentials: Path, named: str, file: str, sent: str) -> None:
    if file:
        (credentials / file).write_text(f"{SECRET}\n")
    settings = Ai(webhook_url="https://crm.example/hook", webhook_credential=named)
    supply.check(settings)
    assert webhook.secret(settings) == sent
    assert SECRET not in keys.redact(f"it says {SECRET}") or not sent


def test_a_credential_that_is_named_and_missing_is_told_with_the_line_to_add(credentials: Path) -> None:
    with pytest.raises(SettingsError, match=r"ai\.webhook_credential: .*exotel_ws_ai_keys: \{crm-token:"):
        supply.check(Ai(webhook_url="https://crm.example/hook", webhook_credential="crm-token"))


@pytest.mark.parametrize("address", ["bot:{}@crm.example/hook", "{}@crm.example/"])
def test_a_password_in_the_address_is_warned_of_with_the_cure_and_refused_beside_a_credential(
    credentials: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Ai(webhook_url=f"https://{address.format(SECRET)}")
    with caplog.at_level(logging.WARNING, "exotel_ws.ai"):
        supply.check(settings)
    assert "exotel_ws_ai_keys: {webhook:" in caplog.text
    (credentials / "webhook").write_text("another-s3cret")
    with pytest.raises(SettingsError, match="both can't be sent") as refused:
        supply.check(settings)
    assert SECRET not in f"{refused.value} {caplog.text}"


@pytest.mark.parametrize(
    ("query", "warned"),
    [("?token=X", True), ("?api_key=X", True), ("?sig=X", True), ("?X-Auth=X", True), ("?tenant=7", False), ("", False)],
)
def test_a_query_that_looks_like_a_secret_is_warned_of(query: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "exotel_ws.ai"):
        supply.check(Ai(webhook_url=f"https://crm.example/hook{query.replace('=X', f'={SECRET}')}"))
    assert ("looks like a secret" in caplog.text) is warned
    assert SECRET not in caplog.text


def test_a_secret_that_goes_unencrypted_is_warned_of(credentials: Path, caplog: pytest.LogCaptureFixture) -> None:
    (credentials / "webhook").write_text(SECRET)
    supply.check(Ai(webhook_url="http://crm.example/hook"))
    assert "use https" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://169.254.169.254/computeMetadata/v1/", "metadata service"),
        ("http://[fd00:ec2::254]/", "metadata service"),
        ("http://[::ffff:169.254.169.254]/", "metadata service"),
        ("http://0.0.0.0:8080/", "unspecified"),
        ("http://239.1.1.1/", "multicast"),
    ],
)
def test_an_address_where_nothing_is_sent_is_refused_before_the_first_call(url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=rf"ai\.webhook_url: leads to .*{told}"):
        supply.check(Ai(webhook_url=url))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:9000/", True),
        ("http://localhost:9000/", True),
        ("http://[::1]/", True),
        ("https://crm.example/", False),
        ("http://10.0.0.7/", False),
    ],
)
def test_a_webhook_is_on_loopback_only_if_its_address_says_so(url: str, allowed: bool) -> None:
    there = webhook.destination(Ai(webhook_url=url))
    assert there is not None
    assert there.allow_loopback is allowed
    assert webhook.destination(Ai()) is None


@pytest.mark.parametrize("secret", [SECRET, ""])
def test_it_is_sent_as_a_bearer_and_an_answer_that_brings_it_back_is_told_without_it(
    credentials: Path, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        shown.append(request.headers.get("Authorization"))
        return web.json_response({"say": f"You sent {secret or 'nothing'}."})

    async def main() -> object:
        async with hook(answer, secret) as tool:
            return await tool({"intent": "x"})

    (credentials / "webhook").write_text(SECRET)
    webhook.secret(Ai(webhook_url="https://crm.example/hook"))
    told = asyncio.run(main())
    assert shown == [f"Bearer {SECRET}" if secret else None]
    assert SECRET not in f"{told} {caplog.text}"
