"""Credentials: right ones are accepted by every way in which they arrive, others are refused, and none is ever logged."""

import asyncio
import base64
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess

TOKEN = "tok3n-Very-Secret"
OTHER = "0ther-Very-Secret"
PADDED = "cGFkZGVk0g=="
WRONG = "wr0ng-Very-Secret"
BASIC = f"Authorization: Basic {base64.b64encode(f'exotel:{TOKEN}'.encode()).decode()}"


@pytest.fixture(scope="module")
def guarded(session_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    """Start a server that requires credentials, serves one path, and logs all it can."""
    credentials = tmp_path_factory.mktemp("credentials") / "stream-credentials"
    credentials.write_text(f"# two of them\nexotel:{TOKEN}\n\n  other:{OTHER}  \nthird:{PADDED}\n")
    settings = {"paths": ["/exotel"], "auth": {"required": True}, "log": {"level": "debug"}}
    return session_server(settings, environment={"CREDENTIALS_DIRECTORY": str(credentials.parent)})


async def _echoes(phone: Phone, **start: object) -> bool:
    await phone.open(**start)
    frames = wire.audio(3)
    return await phone.converse(frames) == frames


@pytest.mark.parametrize(
    ("target", "userinfo"),
    [
        ("/exotel", f"exotel:{TOKEN}"),
        ("/exotel", f"other:{OTHER}"),
        (f"/exotel?token={TOKEN}", ""),
        (f"/exotel?x=1&anything={OTHER}", ""),
        (f"/{TOKEN}", ""),
        (f"/exotel/{OTHER}/stream", ""),
        (f"/exotel%3a{TOKEN}", ""),
    ],
)
def test_shown_at_the_handshake(guarded: ServerProcess, target: str, userinfo: str) -> None:
    async def call() -> None:
        async with Phone(guarded.url(target, userinfo)) as phone:
            assert await _echoes(phone)

    asyncio.run(call())


def test_shown_as_bearer(guarded: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(guarded.url("/exotel"), additional_headers={"Authorization": f"Bearer {TOKEN}"}) as phone:
            assert await _echoes(phone)

    asyncio.run(call())


@pytest.mark.parametrize(
    "parameters",
    [
        {"token": TOKEN},
        {"user": "x", "credential": f"exotel:{TOKEN}"},
        {"exotel": TOKEN},
        {f"token:{TOKEN}=": ""},
        {f"token:{TOKEN}": "="},
        {f"token={TOKEN}": ""},
        {f"sample-rate=8000&token={TOKEN}": ""},
        {f"?token={TOKEN}&x=1": None},
        {f"token={PADDED}": ""},
        {f"token:{PADDED}=": ""},
        {"query": f"sample-rate=8000&token={OTHER}"},
        f"token={TOKEN}",
        f"token:{TOKEN}",
        TOKEN,
    ],
)
def test_shown_in_custom_parameters(guarded: ServerProcess, parameters: object) -> None:
    """A credential in custom parameters is accepted: Exotel moves the URL's query to ``start``, sometimes mangled."""

    async def call() -> None:
        async with Phone(guarded.url("/exotel")) as phone:
            assert await _echoes(phone, custom_parameters=parameters)

    asyncio.run(call())


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization: Basic {base64.b64encode(f'exotel:{WRONG}'.encode()).decode()}",
        f"Authorization: Basic {base64.b64encode(b'exotel').decode()}",
        f"Authorization: Basic {TOKEN}",
        "Authorization: Basic \xff\xfe",
        "Authorization: Basic",
        "Authorization:",
        f"Authorization: Bearer {WRONG}",
        "Authorization: Bearer \xff\xfe",
        f"Authorization: Digest {TOKEN}",
    ],
)
def test_a_wrong_header_is_401(guarded: ServerProcess, header: str) -> None:
    before = guarded.metric('handshakes_rejected_total{reason="credentials"}')
    with guarded.raw() as client:
        client.request("/exotel", header)
        assert client.head()[0] == 401
        assert client.rest() == b"the Authorization header holds no valid credential\n"
    assert guarded.metric('handshakes_rejected_total{reason="credentials"}') == before + 1


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"token": WRONG},
        {"token": ""},
        {"": ""},
        {TOKEN[:-1]: ""},
        {"token": TOKEN.upper()},
        {"user": "exotel"},
        "x",
        [TOKEN],
    ],
)
def test_none_shown_closes_at_start(guarded: ServerProcess, parameters: object) -> None:
    async def call() -> tuple[int, str]:
        async with Phone(guarded.url("/exotel?token=" + WRONG)) as phone:
            # Nothing is echoed, and no mark answered, to a stream that has shown no credential.
            await phone.send(wire.connected(), wire.media(b"abcd"), wire.mark("m"))
            assert await phone.silence(0.05) == []
            await phone.send(wire.start(custom_parameters=parameters), wire.media(b"abcd"))
            return await phone.closed()

    before = guarded.metrics()
    assert asyncio.run(call()) == (1008, "authentication failed")
    after = guarded.metrics()
    rejected = 'exotel_ws_handshakes_rejected_total{reason="credentials"}'
    assert after[rejected] == before[rejected] + 1
    assert after["exotel_ws_calls_total"] == before["exotel_ws_calls_total"]


def test_a_path_that_shows_none_is_404(guarded: ServerProcess) -> None:
    for target in ("/", "/wrong", f"/{TOKEN}x", "/\xff", "/%ff%fe"):
        with guarded.raw() as client:
            try:
                assert client.handshake(target) == 404
            except EOFError:
                assert target == "/\xff"  # One engine takes no byte above 127 in a request line.


def test_health_needs_none(guarded: ServerProcess) -> None:
    assert guarded.fetch("/health")[0] == 200
    assert guarded.fetch("/ready")[0] == 200
    assert guarded.fetch("/metrics")[0] == 200


def test_no_secret_is_ever_logged(guarded: ServerProcess) -> None:
    """No secret is ever logged, at level debug, after all tests above and a few more ways to provoke a line."""
    for request in (
        [f"/{TOKEN}?token={TOKEN}", BASIC, "broken line"],
        [f"/exotel?token={TOKEN}", f"Sec-WebSocket-Extensions: {TOKEN};;;="],
    ):
        with guarded.raw() as client:
            client.request(*request)
            client.socket.settimeout(2)
            client.socket.recv(100)
    with guarded.raw() as client:
        assert client.handshake("/exotel", BASIC) == 101
        client.frame(wire.start(custom_parameters={"token": TOKEN}))
        client.frame(wire.message(event="start", stream_sid=5, start={"custom_parameters": {"token": TOKEN}}))
        client.frame('{"event":"start","start":{"custom_parameters":{"token":"' + TOKEN)
        client.frame(b"\xff" + TOKEN.encode())
        client.close_code()
    log = guarded.log()
    assert "🔒 Refused" in log, "there is a log at all"
    for secret in (TOKEN, OTHER, BASIC.split()[-1]):
        assert secret not in log


def test_a_path_that_may_hold_a_secret_is_not_logged(session_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "c").write_text(f"exotel:{TOKEN}\n")
    server = session_server({"auth": {"required": True, "credential": str(tmp_path / "c")}, "limits": {"max_connections": 1}})
    with server.raw() as held, server.raw() as client:
        assert held.handshake() == 101
        assert client.handshake(f"/a/{TOKEN}/b") == 503
    assert "(path not shown)" in server.wait_for_log(r"Refused with 503.*")[0]
    assert TOKEN not in server.log()
