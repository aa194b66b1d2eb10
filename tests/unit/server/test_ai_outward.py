"""Requests to the user's own systems: signed, bounded, and sent to no address that trusts this machine."""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.resolver import ThreadedResolver
from exotel_ws.ai.outward import reach
from exotel_ws.ai.outward.client import MOST_SENT, Answer, Destination, Outward, OutwardError
from exotel_ws.ai.outward.signature import SIGNATURE, TIMESTAMP, sign
from exotel_ws.ai.providers import keys

SECRET = "sign-with-this-one"
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answering) -> AsyncIterator[str]:
    """Serve ``answer`` on loopback. Yield its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def send(answer: Answering, body: Any = None, *, path: str = "/", query: dict[str, str] | None = None, **told: Any) -> Answer:
    """Send one request to a server that gives ``answer``."""

    async def main() -> Answer:
        outward = Outward()
        try:
            async with server(answer) as url:
                return await outward.send(Destination(url + path, **{"allow_loopback": True} | told), body, query=query)
        finally:
            await outward.close()

    return asyncio.run(main())


async def ok(_request: web.Request) -> web.Response:
    return web.json_response({"status": "shipped"})


def is_genuine(secret: str, headers: Any, body: bytes, *, now: float) -> bool:
    """Check a request as docs/ai.md shows a receiver to do it."""
    stamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    expected = "v1=" + hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, expected) and abs(now - int(stamp)) <= 300


def test_a_receiver_knows_a_genuine_request_from_one_that_was_changed_recorded_or_made_by_another() -> None:
    heard: list[tuple[Any, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.json_response({})

    send(answer, {"order": "4821", "name": "आशा"}, signing=SECRET)
    headers, body = heard[0]
    assert json.loads(body) == {"order": "4821", "name": "आशा"}
    assert is_genuine(SECRET, headers, body, now=time.time())
    assert not is_genuine(SECRET, headers, body.replace(b"4821", b"4822"), now=time.time())
    assert not is_genuine("another", headers, body, now=time.time())
    assert not is_genuine(SECRET, headers, body, now=time.time() + 3600)
    assert not is_genuine(SECRET, headers | {TIMESTAMP: str(int(time.time()) + 60)}, body, now=time.time() + 60)


def test_the_signature_is_that_of_the_timestamp_and_the_body() -> None:
    # openssl: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
    assert sign("key", b'{"a":1}', 1_700_000_000.9) == {
        TIMESTAMP: "1700000000",
        SIGNATURE: "v1=" + hmac.digest(b"key", b'1700000000.{"a":1}', "sha256").hex(),
    }


def test_what_is_asked_by_get_is_in_the_query_and_its_query_is_what_is_signed() -> None:
    heard: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request)
        return web.json_response({})

    send(answer, path="/orders?shop=7", query={"order": "48 21&x=/../"}, method="GET", signing=SECRET)
    (request,) = heard
    assert request.method == "GET"
    assert dict(request.query) == {"shop": "7", "order": "48 21&x=/../"}
    assert request.path == "/orders"
    assert is_genuine(SECRET, request.headers, request.rel_url.raw_query_string.encode(), now=time.time())


def test_a_secret_goes_as_a_bearer_and_headers_of_one_request_go_before_those_of_all() -> None:
    heard: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers.copy())
        response = web.json_response({})
        response.set_cookie("session", "of-another-call")
        return response

    async def main() -> None:
        outward = Outward()
        async with server(answer) as url:
            to = Destination(url, headers={"X-Shop": "7", "Idempotency-Key": "none"}, bearer=SECRET, allow_loopback=True)
            await outward.send(to, {}, headers={"Idempotency-Key": "k1"})
            await outward.send(to, {})
        await outward.close()

    asyncio.run(main())
    assert heard[0]["Authorization"] == f"Bearer {SECRET}"
    assert (heard[0]["X-Shop"], heard[0]["Idempotency-Key"]) == ("7", "k1")
    assert SIGNATURE not in heard[0]
    assert "Cookie" not in heard[1], "an answer to one call is told to no other"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (web.Response(status=500, text="trace"), "HTTP 500"),
        (web.Response(status=302, headers={"Location": "/elsewhere"}), "HTTP 302"),
        (web.Response(text="x" * 101), "an answer of more than 100 bytes"),
        (web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), "an answer that is compressed"),
        (web.Response(body=b"\xff"), "UnicodeDecodeError"),
    ],
)
def test_an_answer_that_is_none_is_told_as_what_it_is(answer: web.Response, told: str) -> None:
    paths: list[str] = []

    async def say(request: web.Request) -> web.Response:
        paths.append(request.path)
        return answer

    with pytest.raises(OutwardError, match=told):
        send(say, {}, most_bytes=100)
    assert paths == ["/"], "no redirect is followed"


def test_an_answer_without_end_and_a_server_that_says_nothing_are_not_waited_for() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    with pytest.raises(OutwardError, match=r"no answer within 0\.2 s"):
        send(drip, {}, timeout_s=0.2)


def test_a_request_is_bounded() -> None:
    with pytest.raises(OutwardError, match="a request of more than"):
        send(ok, {"x": "y" * MOST_SENT})


def test_an_answer_that_brings_a_secret_back_is_told_without_it(tmp_path: Any) -> None:
    (tmp_path / "crm").write_text(SECRET)
    (tmp_path / "crm").chmod(0o600)
    keys.read(str(tmp_path / "crm"))

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"you sent": request.headers["Authorization"]})

    assert SECRET not in send(echo, {}, bearer=SECRET).text
    assert SECRET not in repr(Destination("http://x", bearer=SECRET, signing=SECRET))


def test_an_error_names_neither_the_address_nor_what_is_in_it() -> None:
    async def main() -> None:
        outward = Outward()
        try:
            await outward.send(Destination("http://user:s3cret@127.0.0.1:9/?token=s3cret", allow_loopback=True), {})
        finally:
            await outward.close()

    with pytest.raises(OutwardError) as error:
        asyncio.run(main())
    assert "s3cret" not in str(error.value)
    assert "127.0.0.1" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "json_told"),
    [("", {}), ('{"a": 1}', {"a": 1}), ("[1]", [1]), ("plain", {"answer": "plain"}), ("[" * 9000, {"answer": "[" * 9000})],
)
def test_an_answer_is_read_as_json_where_it_is_json(text: str, json_told: Any) -> None:
    assert Answer(200, text).json() == json_told


def test_an_answer_with_half_a_character_is_refused() -> None:
    with pytest.raises(OutwardError, match="half a character"):
        Answer(200, '{"say": "\\ud83d"}').json()


def test_where_the_status_tells_all_no_body_makes_a_failure_of_it() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=b"\xff" * 100_000, headers={"Content-Encoding": "gzip"})

    assert send(answer, {}, status_alone=True) == Answer(200, "")


def test_an_address_that_only_fails_as_it_is_used_is_an_error_like_any_other() -> None:
    with pytest.raises(OutwardError, match=r"\w+Error"):
        asyncio.run(Outward().send(Destination("https://münchen..de/x"), {}))


# Where requests may go

NEVER = [
    *("169.254.169.254", "169.254.0.1", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    *("fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::a9fe:a9fe"),
    *("64:ff9b:1::a9fe:a9fe", "64:ff9b:1:fffe::a9fe:a9fe", "::ffff:0:169.254.169.254", "fd00:ec2::254%eth0"),
    *("0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "224.0.0.1", "239.255.255.255", "ff02::1", "255.255.255.255"),
]
LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1"]


@pytest.mark.parametrize("allow_loopback", [True, False])
@pytest.mark.parametrize("address", NEVER)
def test_nothing_is_sent_to_what_trusts_this_machine_in_whatever_form_it_is_written(address: str, allow_loopback: bool) -> None:
    assert reach.refused(ipaddress.ip_address(address), allow_loopback=allow_loopback)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_reached_only_where_asked(address: str) -> None:
    assert reach.refused(ipaddress.ip_address(address), allow_loopback=False) == "this machine's loopback"
    assert not reach.refused(ipaddress.ip_address(address), allow_loopback=True)


@pytest.mark.parametrize("address", ["203.0.113.9", "10.1.2.3", "192.168.1.7", "2001:db8::7", "fd12::7", "8.8.8.8"])
def test_public_and_private_systems_are_reached(address: str) -> None:
    assert not reach.refused(ipaddress.ip_address(address), allow_loopback=False)


class Misleading(ThreadedResolver):
    """Resolver that leads every name to this machine."""

    def __init__(self, **_told: Any) -> None:
        super().__init__()

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
        return [one | {"hostname": host} for one in await super().resolve("127.0.0.1", port, family)]


@pytest.mark.parametrize("allowed", [True, False])
def test_a_name_that_leads_to_loopback_is_refused_at_the_connection_itself(
    allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        visited.append(request.host)
        return web.json_response({})

    monkeypatch.setattr("aiohttp.connector.DefaultResolver", Misleading)

    async def main() -> None:
        outward = Outward()
        try:
            async with server(answer) as url:
                there = Destination(url.replace("127.0.0.1", "crm.example"), allow_loopback=allowed)
                if allowed:
                    await outward.send(there, {})
                with pytest.raises(OutwardError, match="this machine's loopback"):
                    await outward.send(replace(there, allow_loopback=False), {})
        finally:
            await outward.close()

    asyncio.run(main())
    assert len(visited) == (1 if allowed else 0), "a connection that was allowed is not taken for one that is not"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost", "[::ffff:7f00:1]"])
def test_loopback_is_known_however_it_is_written(host: str) -> None:
    async def main() -> None:
        outward = Outward()
        try:
            await outward.send(Destination(f"http://{host}:9/"), {})
        finally:
            await outward.close()

    with pytest.raises(OutwardError, match=r"this machine's loopback|InvalidUrl"):
        asyncio.run(main())


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(ok, {}).json() == {"status": "shipped"}


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://localhost:1/", True),
        ("http://api.LOCALHOST./", True),
        ("http://127.0.0.9/", True),
        ("http://[::1]:8/x", True),
        ("https://localhost.example/", False),
        ("https://10.0.0.1/", False),
    ],
)
def test_an_address_says_itself_whether_it_is_this_machine(url: str, named: bool) -> None:
    assert reach.names_loopback(url) is named
