"""No source can exhaust the server or keep others out, and real calls by the hundred are all served."""

import asyncio
import contextlib
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, RawClient, upgrade_request
from .process import ServerProcess, eventually, fetch_unix

A, B = "127.0.0.2", "127.0.0.3"
TOKEN = "tok3n-Very-Secret"


@pytest.fixture(autouse=True)
def files() -> None:
    """Raise the limit of files: a test holds thousands of sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def holding(server: ServerProcess, count: int, request: bytes = b"", source: str = A) -> Iterator[list[RawClient]]:
    """Hold ``count`` sockets from a source, each after it has sent ``request``; the server may end some of them."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            with contextlib.suppress(ConnectionError):
                clients.append(stack.enter_context(RawClient(server.port, source=source)))
                clients[-1].socket.sendall(request)
        yield clients


def bounds(server: ServerProcess) -> dict[str, float]:
    found = server.metrics()
    return {name.split('"')[1]: count for name, count in found.items() if name.startswith("exotel_ws_bounds_total") and count}


async def calls_from(server: ServerProcess, source: str, target: str = "/", credential: str = "") -> bool:
    async with Phone(server.url(target, credential), local_addr=(source, 0)) as phone:
        await phone.open()
        frames = wire.audio(3)
        return await phone.converse(frames) == frames


@pytest.mark.parametrize("request_bytes", [b"", b"GET / HT", upgrade_request()], ids=["silent", "half a head", "no start"])
def test_2000_sockets_of_one_source_keep_no_other_out(start_server: StartServer, request_bytes: bytes) -> None:
    server = start_server({"limits": {"handshake_timeout_s": 60, "start_timeout_s": 60}})
    with holding(server, 2000, request_bytes):
        assert asyncio.run(calls_from(server, B))
        assert server.fetch("/ready")[0] == 200
        assert bounds(server)["unproven_source"] >= 1000
        assert server.log().count("🚧 Bound unproven_source") == 1
    assert asyncio.run(calls_from(server, A)), "once it has let go, it is as welcome as any"


def test_started_and_silent_calls_make_room(start_server: StartServer) -> None:
    """Started and silent calls make room, as a start proves nothing: another source still gets a place among them."""
    server = start_server({"limits": {"max_calls": 50}})
    with holding(server, 50) as clients:
        for client in clients:
            assert client.handshake() == 101
            client.frame(wire.start())
        eventually(lambda: server.metric("calls_live") == 50, "50 calls")
        eventually(lambda: server.fetch("/ready")[0] == 200, "room, for they have been silent for a while")
        assert asyncio.run(calls_from(server, B))
        assert bounds(server) == {"unproven_call": 1}
        assert clients[0].close_code() == 1013


def test_calls_with_media_are_never_cut_for_others(start_server: StartServer) -> None:
    server = start_server({"limits": {"max_calls": 2}})

    async def story() -> None:
        async with Phone(server.url()) as one, Phone(server.url()) as two:
            frames = wire.audio(220)
            for number, phone in enumerate((one, two)):
                await phone.open(f"kept-{number}")
            talking = [asyncio.create_task(phone.converse(frames, f"kept-{n}", 0.02)) for n, phone in enumerate((one, two))]
            await asyncio.sleep(3.5)
            assert await asyncio.to_thread(_handshake_from, server, B) == 503
            for task in talking:
                assert await task == frames

    asyncio.run(story())
    assert bounds(server) == {}


def _handshake_from(server: ServerProcess, source: str) -> int:
    with RawClient(server.port, source=source) as client:
        return client.handshake()


@pytest.fixture
def credentials(tmp_path: Path) -> str:
    (tmp_path / "credentials").write_text(f"exotel:{TOKEN}\n")
    return str(tmp_path / "credentials")


def test_sockets_without_a_credential_do_not_fill_the_places_of_those_with_one(
    start_server: StartServer, credentials: str
) -> None:
    """The last places are kept for clients that have shown a credential, even when many sources connect at once."""
    limits = {"max_connections": 100, "start_timeout_s": 60}
    server = start_server({"auth": {"required": True, "credential": credentials}, "limits": limits})
    with ExitStack() as stack:
        for number in range(30):
            stack.enter_context(holding(server, 4, upgrade_request(), f"127.0.1.{number + 1}"))
        eventually(lambda: server.metric('handshakes_rejected_total{reason="full"}') >= 30, "the pool is full")
        assert asyncio.run(calls_from(server, B, credential=f"exotel:{TOKEN}"))
        assert asyncio.run(calls_from(server, B, f"/{TOKEN}"))


def test_who_shows_a_credential_gets_in_beside_2000_who_show_none(start_server: StartServer, credentials: str) -> None:
    """A client with a credential gets in beside 2,000 without one, even from the same address."""
    limits = {"handshake_timeout_s": 60, "start_timeout_s": 60}
    server = start_server({"auth": {"required": True, "credential": credentials}, "limits": limits})
    with holding(server, 2000, upgrade_request()):
        assert asyncio.run(calls_from(server, A, credential=f"exotel:{TOKEN}"))
        assert asyncio.run(calls_from(server, B, credential=f"exotel:{TOKEN}"))


@pytest.mark.alone
def test_500_calls_at_once_from_one_address_are_all_served(start_server: StartServer) -> None:
    server = start_server({"log": {"level": "warning"}})

    async def call(number: int, begin: asyncio.Event) -> bool:
        async with Phone(server.url()) as phone:
            await begin.wait()
            await phone.open(f"many-{number}")
            frames = wire.audio(3, seed=number)
            return await phone.converse(frames, f"many-{number}") == frames

    async def all_of_them() -> list[bool]:
        begin = asyncio.Event()
        running = [asyncio.create_task(call(number, begin)) for number in range(500)]
        while server_connections() < 500 and not any(task.done() for task in running):
            await asyncio.sleep(0.1)
        begin.set()
        return await asyncio.gather(*running)

    def server_connections() -> int:
        return int(server.metric("connections_live"))

    assert all(asyncio.run(all_of_them()))
    assert bounds(server) == {}
    assert server.metric('handshakes_rejected_total{reason="full"}') == 0


def test_a_call_goes_on_and_the_admin_socket_answers_at_the_limit_of_files(start_server: StartServer, tmp_path: Path) -> None:
    admin = tmp_path / "a.sock"
    limits = {"handshake_timeout_s": 60, "unproven_per_source": 5000, "unproven_total": 5000}
    server = start_server({"limits": limits}, "--admin-socket", str(admin), hard_files=300)

    async def story() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("at-the-limit")
            with ThreadPoolExecutor() as pool:
                stack = ExitStack()
                held = await asyncio.wrap_future(pool.submit(stack.enter_context, holding(server, 1000, b"GET")))
                assert len(held) == 1000
                frames = wire.audio(20)
                assert await phone.converse(frames, "at-the-limit") == frames
                assert (await asyncio.to_thread(fetch_unix, admin, "/health"))[0] == 200
                assert await calls_from(server, B)
                await asyncio.to_thread(stack.close)

    asyncio.run(story())
    assert bounds(server)["files"] > 500
    assert "Traceback" not in server.log()
    assert len(server.log()) < 20_000


def test_websockets_without_start_leave_files_to_another_source(start_server: StartServer) -> None:
    """WebSockets without ``start`` lose their places, answer no close frame, and are aborted when a file is needed."""
    limits = {"start_timeout_s": 60, "unproven_per_source": 100, "handshakes_burst": 5000}
    server = start_server({"limits": limits}, hard_files=300)
    with ExitStack() as stack:
        for _ in range(6):
            # A batch at a time: of one burst, most would lose their places before they are WebSockets.
            clients = stack.enter_context(holding(server, 100, upgrade_request()))
            assert {client.head()[0] for client in clients} == {101}
        assert bounds(server)["unproven_source"] == 500
        for _ in range(20):
            assert asyncio.run(calls_from(server, B))
        assert bounds(server).get("files", 0) == 0
    assert "Traceback" not in server.log()


def test_300_sockets_that_ask_for_metrics_are_answered_by_few_looks(start_server: StartServer, tmp_path: Path) -> None:
    """Requests for metrics share looks; each answer counts all events before its request."""
    admin = tmp_path / "a.sock"
    server = start_server({"limits": {"metrics_interval_s": 0.5}}, "--admin-socket", str(admin))
    request = b"GET /metrics HTTP/1.1\r\n\r\n"
    with holding(server, 300) as clients:
        for client in clients:
            client.socket.sendall(request)
        assert {client.head()[0] for client in clients} == {200}
    computed = fetch_unix(admin, "/places")[1]["metrics_computed"]
    assert 1 <= computed < 30


@pytest.mark.parametrize("path", ["/metrics", "/ready"])
def test_metrics_and_readiness_are_not_for_strangers(start_server: StartServer, path: str) -> None:
    closed, opened = start_server(), start_server({"open_metrics": True})
    for header in ("X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7", "Via: 1.1 proxy"):
        status, _, body = closed.fetch(path, header)
        assert (status, body) == (404, b"Exotel connects here by WebSocket.\n")
        assert closed.fetch("/health", header)[0] == 200
        assert opened.fetch(path, header)[0] == 200
    assert closed.fetch(path)[0] == 200


def test_a_guesser_waits_longer_and_longer_and_is_then_kept_out(start_server: StartServer, credentials: str) -> None:
    server = start_server({"auth": {"required": True, "credential": credentials}})
    statuses = []
    for number in range(60):
        with RawClient(server.port, source=A) as client:
            client.socket.settimeout(0.2)
            try:
                statuses.append(client.handshake("/", f"Authorization: Bearer guess-number-{number}"))
            except TimeoutError:
                statuses.append(0)
            except (EOFError, ConnectionError):
                statuses.append(-1)
    assert statuses[0] == 401
    assert 0 in statuses, "an answer that came late"
    assert statuses[-1] == -1, "closed at once"
    assert bounds(server)["barred"] >= 1
    # Neither another source nor who has shown a right one is kept waiting.
    assert asyncio.run(calls_from(server, B, credential=f"exotel:{TOKEN}"))


def test_few_candidates_are_tried(start_server: StartServer, credentials: str) -> None:
    """Few of one connection's candidates are tried; 2,300 guesses once were."""
    server = start_server({"auth": {"required": True, "credential": credentials}})

    async def guess() -> tuple[int, str]:
        async with Phone(server.url("/" + "x/" * 100 + TOKEN)) as phone:
            parameters = {f"k{number}": f"guess-{number}" for number in range(200)} | {"token": TOKEN}
            await phone.send(wire.start(custom_parameters=parameters))
            return await phone.closed()

    assert asyncio.run(guess()) == (1008, "authentication failed")


def test_a_token_that_is_soon_guessed_is_refused_at_the_start(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("user:abc\n")
    with pytest.raises(AssertionError, match=r"the token of credential 1 in .* has less than auth.least_length = 6 characters"):
        start_server({"auth": {"required": True, "credential": str(tmp_path / "c")}})


def test_who_holds_most_is_told_to_the_operator(start_server: StartServer, tmp_path: Path) -> None:
    admin = tmp_path / "a.sock"
    server = start_server({}, "--admin-socket", str(admin))
    with holding(server, 30, upgrade_request()):
        eventually(lambda: server.metric("connections_live") == 30, "30 connections")
        places = fetch_unix(admin, "/places")[1]
        assert places["top"] == {"source": A, "count": 30}
        assert server.metric("unproven_most_of_one_source") == 30
